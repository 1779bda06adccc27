"""Two servers of this project as each other's remote server."""

import pytest

from dicomweb.dicom.orthanc_ids import orthanc_id
from tests.builders import a_series
from tests.peers.ourselves import Peer

Peers = tuple[Peer, Peer]

STUDY, SERIES = "1.2.3", "1.2.3.1"
INSTANCE = orthanc_id("P1", STUDY, SERIES, f"{SERIES}.1")


def test_an_instance_is_stored_there_as_it_is_here(peers: Peers) -> None:
    ours, theirs = peers
    ours.store(*a_series(3))
    answer = ours.http.post("/dicom-web/servers/other/stow", json={"Resources": [INSTANCE]})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "InstancesCount": "1",
        "NetworkSizeMB": "0",
        "Resources": {"Instances": [INSTANCE]},
        "Server": "other",
    }
    assert theirs.instances() == {f"{SERIES}.1": ours.instances()[f"{SERIES}.1"]}


@pytest.mark.parametrize(
    "names",
    [
        [orthanc_id("P1")],
        [orthanc_id("P1", STUDY)],
        [orthanc_id("P1", STUDY, SERIES)],
        [STUDY],
        [SERIES],
        [orthanc_id("P1"), orthanc_id("P1", STUDY), STUDY, SERIES, f"{SERIES}.2", INSTANCE],
    ],
)
def test_resources_at_every_level_by_either_name_are_sent_once(peers: Peers, names: list[str]) -> None:
    ours, theirs = peers
    ours.store(*a_series(3))
    answer = ours.http.post("/dicom-web/servers/other/stow", json={"Resources": names})
    assert answer.json()["InstancesCount"] == "3", answer.text
    assert theirs.instances() == ours.instances()


@pytest.mark.parametrize("chunked", [True, False])
def test_a_store_is_cut_into_requests(peers: Peers, chunked: bool) -> None:
    ours, theirs = peers
    ours.define("other", theirs.url, ChunkedTransfers=chunked)
    ours.store(*a_series(5))
    object.__setattr__(ours.archive.settings.DicomWeb, "StowMaxInstances", 2)
    assert ours.http.post("/dicom-web/servers/other/stow", json={"Resources": [STUDY]}).status_code == 200
    (job,) = ours.http.get("/jobs?expand").json()
    assert (job["State"], job["Progress"], job["InstancesSucceeded"]) == ("Success", 100, 5)
    assert len(ours.archive.jobs.batches(job["ID"])) == 3
    assert theirs.instances() == ours.instances()


@pytest.mark.parametrize(
    "resource",
    [
        {"Study": STUDY},
        {"Study": STUDY, "Series": SERIES},
        {"Study": STUDY, "Series": SERIES, "Instance": f"{SERIES}.1"},
    ],
)
def test_what_is_retrieved_is_stored_as_it_is_there(peers: Peers, resource: dict[str, str]) -> None:
    ours, theirs = peers
    theirs.store(*a_series(3))
    answer = ours.http.post("/dicom-web/servers/other/retrieve", json={"Resources": [resource]})
    expected = {uid: digest for uid, digest in theirs.instances().items() if resource.get("Instance", uid) == uid}
    assert answer.status_code == 200, answer.text
    assert answer.json()["ReceivedInstancesCount"] == str(len(expected))
    assert sorted(answer.json()["Instances"]) == sorted(orthanc_id("P1", STUDY, SERIES, uid) for uid in expected)
    assert ours.instances() == expected
    retrieved = ours.http.get(f"/instances/{answer.json()['Instances'][0]}").json()
    assert retrieved["MainDicomTags"]["SOPInstanceUID"] in expected


def test_what_is_deleted_there_is_gone_there(peers: Peers) -> None:
    ours, theirs = peers
    theirs.store(*a_series(3))
    wanted = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": f"{SERIES}.1"}
    assert ours.http.post("/dicom-web/servers/other/delete", json={"Level": "Instance", **wanted}).json() == {}
    assert len(theirs.instances()) == 2
    assert ours.http.post("/dicom-web/servers/other/delete", json={"Level": "Study", **wanted}).json() == {}
    assert theirs.instances() == {}
    again = ours.http.post("/dicom-web/servers/other/delete", json={"Level": "Study", **wanted})
    assert again.status_code == 404


def test_get_relays_what_is_answered(peers: Peers) -> None:
    ours, theirs = peers
    theirs.store(*a_series(2))
    wanted = {"Uri": f"/studies/{STUDY}/metadata", "HttpHeaders": {"Accept": "application/dicom+json"}}
    relayed = ours.http.post("/dicom-web/servers/other/get", json=wanted)
    direct = theirs.http.get(f"/dicom-web/studies/{STUDY}/metadata")
    assert (relayed.status_code, relayed.headers["content-type"]) == (200, "application/dicom+json")
    assert relayed.json() == direct.json()
    rows = ours.http.post("/dicom-web/servers/other/qido", json={"Uri": "studies", "Arguments": {"PatientID": "P1"}})
    (row,) = rows.json()
    assert row["00100020"] == {"Group": 16, "Element": 32, "Name": "PatientID", "vr": "LO", "Value": "P1"}


def test_wado_stores_what_a_uri_answers(peers: Peers) -> None:
    ours, theirs = peers
    theirs.store(*a_series(2))
    wanted = {"Uri": f"/studies/{STUDY}/series/{SERIES}", "Synchronous": True}
    answer = ours.http.post("/dicom-web/servers/other/wado", json=wanted)
    assert answer.json()["ReceivedInstancesCount"] == "2", answer.text
    assert ours.instances() == theirs.instances()
