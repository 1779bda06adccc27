"""One Study Instance UID under several Patient IDs: one study, found as that of each of its patients."""

from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient

from dicomweb.archive import Archive
from dicomweb.dicom.orthanc_ids import orthanc_id
from dicomweb.transactions.delete import delete_instances
from tests.builders import a_file
from tests.transactions.test_store import store

ONE = {"PatientID": "P1", "PatientName": "Doe^Jane", "SOPInstanceUID": "1.2.3.1.1"}
OTHER = {
    "PatientID": "Q2",
    "PatientName": "Muster^Max",
    "PatientSex": "M",
    "StudyDate": "20200101",
    "SOPInstanceUID": "1.2.3.1.2",
}


@pytest.fixture(params=["two requests", "one request", "the other after others"])
def shared(request: pytest.FixtureRequest, archive: Archive) -> Archive:
    if request.param == "one request":
        store(archive, a_file(**ONE), a_file(**OTHER))
        return archive
    store(archive, a_file(**ONE))
    if request.param == "the other after others":
        store(archive, a_file(SOPInstanceUID="1.2.3.1.3", PatientID="P1", PatientName="Doe^Janet"))
    store(archive, a_file(**OTHER))
    return archive


def rows(client: TestClient, query: str, level: str = "studies") -> list[Any]:
    answer = client.get(f"/dicom-web/{level}?{query}")
    assert answer.status_code == 200
    found: list[Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("query", "patient"),
    [
        ("PatientID=P1", "P1"),
        ("PatientID=Q2", "Q2"),
        ("PatientID=*2", "Q2"),
        ("PatientName=Muster*", "Q2"),
        ("PatientName=*uste*", "Q2"),
        ("PatientName=doe^jane", "P1"),
        ("PatientName=Mustr&fuzzymatching=true", "Q2"),
        ("PatientSex=M", "Q2"),
        ("StudyDate=20240131&PatientID=Q2", "Q2"),
        ("StudyInstanceUID=1.2.3&PatientID=Q2", "Q2"),
        ("StudyInstanceUID=1.2.3", "P1"),
        ("", "P1"),
    ],
)
def test_the_study_is_found_once_as_that_of_the_patient_asked_for(
    shared: Archive, client: TestClient, query: str, patient: str
) -> None:
    for level in ("studies", "series"):
        (row,) = rows(client, query, level)
        assert row["00100020"]["Value"] == [patient]
        assert row["0020000D"]["Value"] == ["1.2.3"]


@pytest.mark.parametrize(
    "query", ["PatientID=P1&PatientName=Muster*", "PatientID=Q2&PatientSex=F", "StudyDate=20200101"]
)
def test_patients_are_not_mixed(shared: Archive, client: TestClient, query: str) -> None:
    assert rows(client, query) == []


def test_everything_is_retrieved_and_counted_once(shared: Archive, client: TestClient) -> None:
    stored = len(rows(client, "", "instances"))
    (row,) = rows(client, "PatientID=Q2")
    assert row["00201208"]["Value"] == [stored]
    assert len(client.get("/dicom-web/studies/1.2.3/metadata").json()) == stored
    names = {each["00100020"]["Value"][0] for each in client.get("/dicom-web/studies/1.2.3/metadata").json()}
    assert names == {"P1", "Q2"}


def test_each_patient_s_identifier_leads_to_the_study(shared: Archive) -> None:
    index = shared.index
    for patient in ("P1", "Q2"):
        assert index.path_of_orthanc_id(orthanc_id(patient, "1.2.3")) == ("1.2.3",)
        assert index.studies_of_patient(orthanc_id(patient)) == ["1.2.3"]
    assert index.path_of_orthanc_id(orthanc_id("Q2", "1.2.3", "1.2.3.1", "1.2.3.1.2")) == (
        "1.2.3",
        "1.2.3.1",
        "1.2.3.1.2",
    )


def test_nothing_of_it_stays_when_it_is_deleted(shared: Archive) -> None:
    delete_instances(shared, "1.2.3")
    left = [pk for pk in everything() if not pk.startswith(("GONE#", "MONTHS"))]
    assert left == []


def test_an_archive_is_not_filled_by_patients(archive: Archive, client: TestClient) -> None:
    for number in range(12):
        store(archive, a_file(SOPInstanceUID=f"1.2.3.1.{number + 1}", PatientID=f"P{number}"))
    assert rows(client, "PatientID=P7")
    assert not rows(client, "PatientID=P8")
    (row,) = rows(client, "PatientID=P0")
    assert row["00201208"]["Value"] == [12]


def everything() -> list[str]:
    return [item["pk"]["S"] for item in boto3.client("dynamodb").scan(TableName="index")["Items"]]
