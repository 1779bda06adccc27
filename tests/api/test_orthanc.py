"""Resources by Orthanc's identifiers."""

import pytest
from fastapi.testclient import TestClient

from dicomweb.dicom.orthanc_ids import orthanc_id
from tests.builders import a_file, a_series

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.1", "1.2.3.1.1"
PATIENT_ID = orthanc_id("P1")
STUDY_ID, SERIES_ID = orthanc_id("P1", STUDY), orthanc_id("P1", STUDY, SERIES)
INSTANCE_ID = orthanc_id("P1", STUDY, SERIES, INSTANCE)


@pytest.fixture
def stored(client: TestClient) -> TestClient:
    for file in a_series(2):
        client.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
    return client


def test_each_level_leads_to_those_above_and_below(stored: TestClient) -> None:
    patient = stored.get(f"/patients/{PATIENT_ID}").json()
    assert (patient["Type"], patient["ID"], patient["Studies"]) == ("Patient", PATIENT_ID, [STUDY_ID])
    assert patient["MainDicomTags"]["PatientID"] == "P1"
    study = stored.get(f"/studies/{STUDY_ID}").json()
    assert (study["ParentPatient"], study["Series"]) == (PATIENT_ID, [SERIES_ID])
    assert (study["MainDicomTags"]["StudyInstanceUID"], study["PatientMainDicomTags"]["PatientID"]) == (STUDY, "P1")
    series = stored.get(f"/series/{SERIES_ID}").json()
    assert (series["ParentStudy"], len(series["Instances"]), series["Instances"][0]) == (STUDY_ID, 2, INSTANCE_ID)
    instance = stored.get(f"/instances/{INSTANCE_ID}").json()
    assert (instance["ParentSeries"], instance["MainDicomTags"]["SOPInstanceUID"]) == (SERIES_ID, INSTANCE)
    assert instance["FileSize"] > 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (STUDY, [("Study", STUDY_ID)]),
        (SERIES, [("Series", SERIES_ID)]),
        (f" {INSTANCE}\n", [("Instance", INSTANCE_ID)]),
        ("P1", [("Patient", PATIENT_ID)]),
        ("9.9.9", []),
        ("", []),
        ("no UID at all", []),
    ],
)
def test_look_up(stored: TestClient, text: str, found: list[tuple[str, str]]) -> None:
    answer = stored.post("/tools/lookup", content=text.encode())
    assert [(each["Type"], each["ID"]) for each in answer.json()] == found
    for each in answer.json():
        assert stored.get(each["Path"]).json()["ID"] == each["ID"]


@pytest.mark.parametrize("path", [f"/studies/{SERIES_ID}", f"/patients/{STUDY_ID}", "/instances/x", "/series/9.9.9"])
def test_what_is_no_such_resource_is_not_found(stored: TestClient, path: str) -> None:
    assert stored.get(path).status_code == 404


def test_a_body_that_is_no_text_or_too_long_is_refused(stored: TestClient) -> None:
    assert stored.post("/tools/lookup", content=b"\xff").status_code == 400
    assert stored.post("/tools/lookup", content=b"1" * 5000).status_code == 400


def test_a_study_of_two_patients_is_that_of_each(client: TestClient) -> None:
    for number, patient in enumerate(("P1", "P2"), 1):
        file = a_file(PatientID=patient, SOPInstanceUID=f"{SERIES}.{number}")
        client.post("/dicom-web/studies", content=file, headers={"Content-Type": "application/dicom"})
    for patient in ("P1", "P2"):
        study = client.get(f"/studies/{orthanc_id(patient, STUDY)}").json()
        assert study["PatientMainDicomTags"]["PatientID"] == patient
        assert client.get(f"/patients/{study['ParentPatient']}").json()["MainDicomTags"]["PatientID"] == patient
