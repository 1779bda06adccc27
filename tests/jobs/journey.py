"""What jobs do, whoever runs their state machines: moto, or the stack in the local AWS."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from dicomweb.archive import Archive
from tests.builders import MULTIPART, a_body, a_series
from tests.jobs.remote import Remote

STUDY, SERIES = "1.2.3", "1.2.3.1"
COUNT = 230  # instances: three batches of a store
MANY = 430  # five: more than are worked on side by side
_PATIENCE_S = 90

Journey = Callable[[httpx.Client, Remote], None]


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def until_ended(http: httpx.Client, job: str) -> dict[str, Any]:
    until(lambda: look(http, job)["State"] in ("Success", "Failure"))
    return look(http, job)


def until_quiet(remote: Remote) -> None:
    """Wait until it has had nothing to do for a while."""
    seen = [-1]

    def is_quiet() -> bool:
        time.sleep(3)
        seen.append(len(remote.stored))
        return remote.busy == 0 and seen[-1] == seen[-2]

    until(is_quiet)


def look(http: httpx.Client, job: str) -> dict[str, Any]:
    state: dict[str, Any] = http.get(f"/jobs/{job}").raise_for_status().json()
    return state


def store_study(http: httpx.Client, count: int = COUNT) -> None:
    files = a_series(count, STUDY, SERIES)
    for start in range(0, count, 100):
        body = a_body(files[start : start + 100])
        http.post("/dicom-web/studies", content=body, headers={"Content-Type": MULTIPART}).raise_for_status()


def count_here(http: httpx.Client) -> int:
    (study,) = http.get("/dicom-web/studies").json()
    count: int = study["00201208"]["Value"][0]
    return count


def count_there(archive: Archive) -> int:
    return len(archive.index.instances_of(STUDY, SERIES))


def begin_store(http: httpx.Client, **options: object) -> str:
    wanted = {"Resources": [STUDY], "Synchronous": False, **options}
    answer = http.post("/dicom-web/servers/remote/stow", json=wanted).raise_for_status().json()
    assert answer["Path"] == f"../../../jobs/{answer['ID']}"
    return str(answer["ID"])


def begin_retrieve(http: httpx.Client) -> str:
    wanted = {"Resources": [{"Study": STUDY}], "Synchronous": False}
    answer = http.post("/dicom-web/servers/remote/retrieve", json=wanted).raise_for_status().json()
    return str(answer["ID"])


def store_and_retrieve(http: httpx.Client, remote: Remote) -> None:
    store_study(http)
    job = begin_store(http, Priority=7)
    state = until_ended(http, job)
    assert (state["State"], state["Progress"], state["Priority"], state["ErrorCode"]) == ("Success", 100, 7, 0), state
    assert (state["Type"], state["Content"]["Server"]) == ("DicomWebStowClient", "remote")
    assert (state["InstancesSucceeded"], state["Content"]["InstancesCount"]) == (COUNT, str(COUNT))
    assert len(remote.stored) == len(set(remote.stored)) == count_there(remote.archive) == COUNT
    outcomes = http.get(f"/jobs/{job}/outcomes").json()
    assert {each["Status"] for each in outcomes} == {"Success"}
    assert len(outcomes) == COUNT
    http.delete(f"/dicom-web/studies/{STUDY}").raise_for_status()
    job = begin_retrieve(http)
    state = until_ended(http, job)
    assert (state["State"], state["Content"]["ReceivedInstancesCount"]) == ("Success", str(COUNT)), state
    assert count_here(http) == COUNT


def pause_and_resume(http: httpx.Client, remote: Remote) -> None:
    store_study(http, MANY)
    remote.close_gate()
    job = begin_store(http)
    until(lambda: remote.waiting >= 4)
    assert http.post(f"/jobs/{job}/pause").json() == {}
    assert look(http, job)["State"] == "Paused"
    remote.open_gate()
    # What was under way ends, after some instance of each request or its last one; nothing else is begun.
    until(lambda: remote.stored)
    until_quiet(remote)
    assert len(remote.stored) == count_there(remote.archive)
    state = look(http, job)
    assert (state["State"], state["InstancesSucceeded"]) == ("Paused", len(remote.stored))
    assert http.post(f"/jobs/{job}/pause").json() == {}
    assert http.post(f"/jobs/{job}/resubmit").status_code == 400
    assert http.post(f"/jobs/{job}/resume").json() == {}
    state = until_ended(http, job)
    assert (state["State"], state["Attempt"], state["InstancesSucceeded"]) == ("Success", 2, MANY), state
    assert len(remote.stored) == len(set(remote.stored)) == count_there(remote.archive) == MANY
    assert http.post(f"/jobs/{job}/resume").status_code == 400


def cancel_at_each_state(http: httpx.Client, remote: Remote) -> None:
    store_study(http)
    remote.close_gate()
    running, paused = begin_store(http), begin_store(http)
    until(lambda: look(http, running)["State"] == look(http, paused)["State"] == "Running")
    http.post(f"/jobs/{paused}/pause")
    for job in (running, paused):
        assert http.post(f"/jobs/{job}/cancel").json() == {}
        state = look(http, job)
        assert (state["State"], state["ErrorCode"], state["ErrorDescription"]) == (
            "Failure",
            37,
            "This job was canceled",
        )
        assert state["CompletionTime"]
    remote.open_gate()
    until(lambda: remote.waiting == 0)
    for action in ("cancel", "pause"):  # without effect on what has ended, as in Orthanc
        assert http.post(f"/jobs/{running}/{action}").json() == {}
        assert look(http, running)["ErrorCode"] == 37
    assert http.post(f"/jobs/{running}/resume").status_code == 400
    assert http.post(f"/jobs/{running}/resubmit").json() == {}
    state = until_ended(http, running)
    assert (state["State"], state["InstancesSucceeded"]) == ("Success", COUNT), state
    assert http.post(f"/jobs/{running}/resubmit").status_code == 400
    assert count_there(remote.archive) == COUNT


def fail_and_resubmit(http: httpx.Client, remote: Remote) -> None:
    http.put("/dicom-web/servers/gone", json={"Url": "http://127.0.0.1:9/"})
    wanted = {"Resources": [{"Study": STUDY}], "Synchronous": False}
    job = http.post("/dicom-web/servers/gone/retrieve", json=wanted).json()["ID"]
    http.delete("/dicom-web/servers/gone")
    state = until_ended(http, job)
    assert (state["State"], state["ErrorCode"]) == ("Failure", 7), state
    assert "no server 'gone'" in state["ErrorDetails"]
    http.put("/dicom-web/servers/gone", json={"Url": remote.url})
    for file in a_series(3, STUDY, SERIES):
        httpx.post(f"{remote.url}/studies", content=file, headers={"Content-Type": "application/dicom"})
    assert http.post(f"/jobs/{job}/resubmit").json() == {}
    state = until_ended(http, job)
    assert (state["State"], state["Content"]["ReceivedInstancesCount"], state["Attempt"]) == ("Success", "3", 2), state
    assert http.delete("/dicom-web/servers/gone").json() == {}
