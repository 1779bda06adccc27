"""Jobs in the deployed stack: started by its API, run by its state machines, and seen there under their own ids."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from moto import mock_aws

from dicomweb.archive import Archive
from local.stack import LocalAws
from tests.builders import a_series, an_archive
from tests.conformance.conftest import serving
from tests.stack.hosts import client

STUDY = "1.2.3"


@pytest.fixture
def remote(api: httpx.Client) -> Iterator[Archive]:
    """The archive of a remote server, which the stack knows as `remote`."""
    with mock_aws():
        archive = an_archive("remote-")
        with serving(archive) as url:
            definition = {"Url": url, "HasDelete": True, "Username": "bob", "Password": "secret"}
            assert api.put("/dicom-web/servers/remote", json=definition).json() == {}
            yield archive
    assert api.delete("/dicom-web/servers/remote").json() == {}


def until_ended(api: httpx.Client, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90
    while (state := api.get(f"/jobs/{job}").json())["State"] in ("Pending", "Running"):
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    return dict(state)


def store(api: httpx.Client, *files: bytes) -> None:
    for file in files:
        answer = api.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
        assert answer.status_code == 200, answer.text


def test_a_study_is_stored_there_and_retrieved_again(aws: LocalAws, api: httpx.Client, remote: Archive) -> None:
    store(api, *a_series(5))
    sent = api.post("/dicom-web/servers/remote/stow", json={"Resources": [STUDY], "Synchronous": False, "Priority": 7})
    assert sent.status_code == 200, sent.text
    job = sent.json()["ID"]
    state = until_ended(api, job)
    assert (state["State"], state["Progress"], state["Priority"]) == ("Success", 100, 7), state
    assert (state["Content"]["InstancesCount"], state["InstancesSucceeded"]) == ("5", 5)
    assert len(remote.index.instances_of(STUDY, "1.2.3.1")) == 5
    # The console shows the same job under its id.
    stepfunctions = client(aws.url, "stepfunctions")
    machines = {each["name"]: each["stateMachineArn"] for each in stepfunctions.list_state_machines()["stateMachines"]}
    executions = stepfunctions.list_executions(stateMachineArn=machines["dicomweb-store-job"])["executions"]
    assert job in [each["name"] for each in executions]

    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code == 204
    wanted = {"Resources": [{"Study": STUDY}], "Asynchronous": True}
    job = api.post("/dicom-web/servers/remote/retrieve", json=wanted).json()["ID"]
    state = until_ended(api, job)
    assert (state["State"], state["Content"]["ReceivedInstancesCount"]) == ("Success", "5"), state
    assert len(api.get(f"/jobs/{job}/outcomes").json()) == 5
    (study,) = api.get("/dicom-web/studies").json()
    assert study["00201208"]["Value"] == [5]
    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code == 204
    assert api.delete(f"/jobs/{job}").json() == {}
    assert api.get(f"/jobs/{job}").status_code == 404


def test_synchronous_calls_are_answered_with_what_they_came_to(api: httpx.Client, remote: Archive) -> None:
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
    assert remote.index.study(STUDY) is None
    assert api.delete(f"/dicom-web/studies/{STUDY}").status_code == 204


def test_what_cannot_be_reached_fails_with_its_reason(api: httpx.Client, remote: Archive) -> None:
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
