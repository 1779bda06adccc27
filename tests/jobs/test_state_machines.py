"""Jobs by their state machines, run by moto; the same journeys in the deployed stack are in tests/stack/test_jobs.py."""

import json
import time
from collections.abc import Iterator

import boto3
import httpx
import pytest

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.builders import ROOT, a_series, handler_of
from tests.conformance.conftest import serving_app
from tests.jobs import journey
from tests.jobs.fixtures import archive, remote
from tests.jobs.remote import Remote

__all__ = ["archive", "remote"]


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


def test_a_call_that_waits_longer_than_lambda_goes_on_as_a_job(
    http: httpx.Client, remote: Remote, archive: Archive
) -> None:
    journey.store_study(http)
    remote.close_gate()
    wanted = json.dumps({"Resources": [journey.STUDY]})
    path = "/dicom-web/servers/remote/stow"
    event = json.loads((ROOT / "events" / "servers.json").read_text()) | {
        "httpMethod": "POST",
        "path": path,
        "body": wanted,
    }
    started = time.monotonic()
    answer = handler_of("servers")(event, Context(remaining_s=10))
    assert answer["statusCode"] == 202, answer
    assert time.monotonic() - started < 8
    remote.open_gate()
    state = journey.until_ended(http, json.loads(answer["body"])["ID"])
    assert (state["State"], state["InstancesSucceeded"]) == ("Success", journey.COUNT), state
    assert journey.count_there(remote.archive) == journey.COUNT


class Context:
    """What Lambda tells a function of its time."""

    def __init__(self, remaining_s: float) -> None:
        self._ends = time.monotonic() + remaining_s

    def get_remaining_time_in_millis(self) -> int:
        return round((self._ends - time.monotonic()) * 1000)


@pytest.mark.parametrize("path", [journey.STUDY, f"{journey.STUDY}/series/{journey.SERIES}"])
def test_a_large_delete_is_a_job(http: httpx.Client, archive: Archive, path: str) -> None:
    object.__setattr__(archive.settings, "LimitDeletedAtOnce", 2)
    for file in (*a_series(3), *a_series(3, series="1.2.3.2")):
        http.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
    answer = http.delete(f"/dicom-web/studies/{path}")
    assert answer.status_code == 202
    state = journey.until_ended(http, answer.json()["ID"])
    assert (state["State"], state["Progress"], state["Type"]) == ("Success", 100, "DeleteResource"), state
    assert (
        httpx.URL(f"{http.base_url}/dicom-web/studies/{path}").join(answer.json()["Path"]).path
        == f"/jobs/{state['ID']}"
    )
    assert http.get(f"/dicom-web/studies/{path}/metadata").status_code == 410
    left = 0 if path == journey.STUDY else 3
    assert len(http.get("/dicom-web/instances").json()) == left
    assert http.delete(f"/dicom-web/studies/{path}").status_code == 410
    assert http.post(f"/dicom-web/studies/{path}/undelete").status_code == 200
    assert len(http.get("/dicom-web/instances").json()) == 6


def test_a_small_delete_is_done_at_once(http: httpx.Client) -> None:
    http.post("/dicom-web/studies", content=a_series(1)[0], headers={"Content-Type": "application/dicom"})
    assert http.delete(f"/dicom-web/studies/{journey.STUDY}").status_code == 204
