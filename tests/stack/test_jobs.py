"""Jobs in the deployed stack: started by its API, run by its state machines, and seen there under their own ids."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from moto import mock_aws

from local.stack import LocalAws
from tests.builders import a_series
from tests.jobs import journey
from tests.jobs.journey import STUDY
from tests.jobs.remote import Remote, a_remote
from tests.stack.hosts import a_host_process, client, variables


@pytest.fixture
def remote(api: httpx.Client) -> Iterator[Remote]:
    """A remote server, which the stack knows as `remote`; afterwards the stack's archive is empty again."""
    with mock_aws(), a_remote() as remote:
        definition = {"Url": remote.url, "HasDelete": True, "Username": "bob", "Password": "secret"}
        assert api.put("/dicom-web/servers/remote", json=definition).json() == {}
        yield remote
    assert api.delete("/dicom-web/servers/remote").json() == {}
    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code in (204, 410)


def store(api: httpx.Client, *files: bytes) -> None:
    for file in files:
        answer = api.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "does",
    [journey.store_and_retrieve, journey.pause_and_resume, journey.cancel_at_each_state, journey.fail_and_resubmit],
)
def test_jobs_do_what_they_do_anywhere(api: httpx.Client, remote: Remote, does: journey.Journey) -> None:
    does(api, remote)


def test_the_console_shows_a_job_under_its_id(aws: LocalAws, api: httpx.Client, remote: Remote) -> None:
    store(api, *a_series(1))
    job = journey.begin_store(api, HttpHeaders={"X-Ward": "3B"})
    state = journey.until_ended(api, job)
    assert (state["State"], state["Execution"]) == ("Success", job), state
    stepfunctions = client(aws.url, "stepfunctions")
    machines = {each["name"]: each["stateMachineArn"] for each in stepfunctions.list_state_machines()["stateMachines"]}
    executions = stepfunctions.list_executions(stateMachineArn=machines["dicomweb-store-job"])["executions"]
    (execution,) = (each["executionArn"] for each in executions if each["name"] == job)
    assert "3B" not in str(stepfunctions.get_execution_history(executionArn=execution))
    assert job in api.get("/jobs").json()
    assert api.delete(f"/jobs/{job}").json() == {}
    assert api.get(f"/jobs/{job}").status_code == 404


def test_synchronous_calls_are_answered_with_what_they_came_to(api: httpx.Client, remote: Remote) -> None:
    store(api, *a_series(3))
    sent = api.post("/dicom-web/servers/remote/stow", json={"Resources": [STUDY]})
    assert (sent.status_code, sent.json()["InstancesCount"]) == (200, "3"), sent.text
    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code == 204
    got = api.post("/dicom-web/servers/remote/retrieve", json={"Resources": [{"Study": STUDY}]})
    assert (got.status_code, got.json()["ReceivedInstancesCount"]) == (200, "3"), got.text
    relayed = api.post("/dicom-web/servers/remote/get", json={"Uri": f"/studies/{STUDY}/metadata"})
    assert len(relayed.json()) == 3
    assert api.post("/dicom-web/servers/remote/echo").json()["Server"] == "remote"
    (instance,) = got.json()["Instances"][:1]
    assert api.get(f"/instances/{instance}").json()["Type"] == "Instance"
    assert api.post("/tools/lookup", content=STUDY).json()[0]["Type"] == "Study"
    deleted = api.post("/dicom-web/servers/remote/delete", json={"Level": "Study", "StudyInstanceUID": STUDY})
    assert deleted.json() == {}
    assert remote.archive.index.study(STUDY) is None
    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code == 204


def test_what_cannot_be_reached_fails_with_its_reason(api: httpx.Client, remote: Remote) -> None:
    store(api, *a_series(1))
    api.put("/dicom-web/servers/down", json={"Url": "http://127.0.0.1:9/dicom-web"})
    answer = api.post("/dicom-web/servers/down/stow", json={"Resources": [STUDY]})
    assert answer.status_code == 502
    assert "cannot be connected to" in answer.json()["Message"]
    api.put("/dicom-web/servers/metadata", json={"Url": "http://169.254.169.254/latest"})
    answer = api.post("/dicom-web/servers/metadata/get", json={"Uri": "/meta-data"})
    assert (answer.status_code, "AllowedNetworks" in answer.json()["Message"]) == (403, True)
    for name in ("down", "metadata"):
        api.delete(f"/dicom-web/servers/{name}")
    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code == 204


def test_a_job_outlives_the_worker_that_is_killed(api: httpx.Client, remote: Remote) -> None:
    journey.store_study(api)
    remote.close_gate()
    job = journey.begin_store(api)
    journey.until(lambda: remote.waiting >= 3)
    assert kill_function("StoreJobWork") >= 3
    remote.open_gate()
    state = journey.until_ended(api, job)
    assert (state["State"], state["InstancesSucceeded"], state["Attempt"]) == ("Success", journey.COUNT, 1), state
    assert journey.count_there(remote.archive) == journey.COUNT


def test_a_call_that_waits_and_whose_host_is_killed_leaves_a_job_that_can_go_on(
    aws: LocalAws, api: httpx.Client, remote: Remote
) -> None:
    journey.store_study(api)
    remote.close_gate()
    with ThreadPoolExecutor(1) as threads, a_host_process(variables(aws)) as (url, pid):
        waits = threads.submit(httpx.post, f"{url}/servers/remote/stow", json={"Resources": [STUDY]}, timeout=60)
        journey.until(lambda: remote.waiting)
        os.kill(pid, signal.SIGKILL)
        assert isinstance(waits.exception(), httpx.TransportError)
    remote.open_gate()
    job = api.get("/jobs").json()[0]
    # Only after a minute without a sign of life is it sure that nobody works on it.
    state = journey.until_ended(api, job)
    assert (state["State"], "resubmit" in state["ErrorDetails"]) == ("Failure", True), state
    assert api.post(f"/jobs/{job}/resubmit").json() == {}
    state = journey.until_ended(api, job)
    assert (state["State"], state["InstancesSucceeded"], state["Attempt"]) == ("Success", journey.COUNT, 2), state
    assert journey.count_there(remote.archive) == journey.COUNT


def kill_function(name: str) -> int:
    """Kill the processes of a function with SIGKILL; how many there were."""
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"AWS_LAMBDA_FUNCTION_NAME=dicomweb-{name}".encode() in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
                killed += 1
    return killed
