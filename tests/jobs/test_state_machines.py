"""Jobs by their state machines, run by moto; the same journeys in the deployed stack are in tests/stack/test_jobs.py."""

from collections.abc import Iterator

import boto3
import httpx
import pytest

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.builders import a_series
from tests.conformance.conftest import serving_app
from tests.jobs import journey
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


@pytest.fixture
def http(archive: Archive, remote: Remote) -> Iterator[httpx.Client]:
    """A client of the server, which knows the remote one."""
    with (
        serving_app(make_app(archive)) as url,
        httpx.Client(base_url=url.removesuffix("/dicom-web"), timeout=60) as http,
    ):
        http.put("/dicom-web/servers/remote", json={"Url": remote.url}).raise_for_status()
        yield http


@pytest.mark.parametrize(
    "does",
    [journey.store_and_retrieve, journey.pause_and_resume, journey.cancel_at_each_state, journey.fail_and_resubmit],
)
def test_jobs_do_what_they_do_anywhere(http: httpx.Client, remote: Remote, does: journey.Journey) -> None:
    does(http, remote)


def test_an_execution_has_the_name_of_its_job(http: httpx.Client, archive: Archive) -> None:
    http.post("/dicom-web/studies", content=a_series(1)[0], headers={"Content-Type": "application/dicom"})
    job = journey.begin_store(http)
    journey.until_ended(http, job)
    (execution,) = boto3.client("stepfunctions").list_executions(stateMachineArn=archive.settings.StoreJob)[
        "executions"
    ]
    assert execution["name"] == job
