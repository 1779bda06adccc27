"""An archive whose jobs run by their state machines, and the remote server that they are for."""

from collections.abc import Iterator

import pytest

from dicomweb.archive import Archive
from tests.jobs.remote import Remote, a_remote
from tests.jobs.state_machines import deployed


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    with deployed(monkeypatch) as archive:
        yield archive


@pytest.fixture
def remote(archive: Archive) -> Iterator[Remote]:
    with a_remote() as remote:
        yield remote
