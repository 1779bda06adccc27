"""The stack deployed in the local AWS, with IAM enforced; one for all tests of a run."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from dicomweb.archive import Archive, connect, storage
from dicomweb.settings import load
from local.stack import LocalAws, OwnAws, local_aws
from tests.stack.hosts import a_host, variables


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnAws]:
    with local_aws(tmp_path_factory.mktemp("stack"), enforce_iam=True) as aws:
        aws.deploy()
        yield aws


@pytest.fixture(scope="session")
def user(aws: OwnAws) -> tuple[str, str]:
    """Somebody who may do everything: name and password."""
    aws.let_in("tester", "of the stack: é")
    return "tester", "of the stack: é"


@pytest.fixture
def api(aws: OwnAws, user: tuple[str, str]) -> Iterator[httpx.Client]:
    """A client of the deployed REST API."""
    auth = httpx.BasicAuth(*(part.encode() for part in user))
    with httpx.Client(base_url=aws.outputs().api, auth=auth, timeout=60) as client:
        yield client


@pytest.fixture
def steady(aws: LocalAws) -> Iterator[httpx.Client]:
    """A client of the Studies Service of a host that is not killed."""
    with a_host(aws) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def deployed_archive(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The archive of the stack, looked at past every host; here no writer is taken to be at work still."""
    found = variables(aws)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(storage, "_IN_FLIGHT", timedelta(0))
    return connect(load(found))
