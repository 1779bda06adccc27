import pytest
from fastapi.testclient import TestClient

from tests.api.test_store import post
from tests.builders import a_body, a_file


@pytest.fixture
def filled(client: TestClient) -> TestClient:
    files = [
        a_file(StudyInstanceUID=f"1.{n}", SeriesInstanceUID=f"1.{n}.1", SOPInstanceUID=f"1.{n}.1.1") for n in (1, 2)
    ]
    assert post(client, a_body(files)).status_code == 200
    return client


def test_no_match_is_an_empty_list(client: TestClient) -> None:
    answer = client.get("/dicom-web/studies?PatientID=nobody")
    assert (answer.status_code, answer.json()) == (200, [])


def test_a_cut_answer_says_that_more_remains(filled: TestClient) -> None:
    answer = filled.get("/dicom-web/studies?limit=1")
    assert len(answer.json()) == 1
    assert answer.headers["warning"].startswith("299 ")
    assert "offset=1" in answer.headers["warning"]
    assert "warning" not in filled.get("/dicom-web/studies?limit=2").headers


def test_ignored_parameters_are_named(filled: TestClient) -> None:
    answer = filled.get("/dicom-web/studies?_=123&&limit=5")
    assert len(answer.json()) == 2
    assert "_" in answer.headers["warning"]


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "NoSuchKey=1", "StudyDate=2004", "fuzzymatching=x"])
def test_a_bad_query_is_400(filled: TestClient, query: str) -> None:
    answer = filled.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == 400
    assert answer.json()["Message"]


def test_percent_encoding_and_plus_are_decoded(filled: TestClient) -> None:
    assert len(filled.get("/dicom-web/studies?PatientName=Doe%5E%2A&includefield=00081030%2C00080060").json()) == 2


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/studies", 2),
        ("/series", 2),
        ("/instances", 2),
        ("/studies/1.1/series", 1),
        ("/studies/1.1/instances", 1),
        ("/studies/1.1/series/1.1.1/instances", 1),
        ("/studies/9/series", 0),
    ],
)
def test_every_path(filled: TestClient, path: str, count: int) -> None:
    assert len(filled.get(f"/dicom-web{path}").json()) == count


@pytest.mark.parametrize("accept", ["application/dicom+json", "application/dicom%2Bjson"])
def test_accept_in_the_query_overrides_the_header(filled: TestClient, accept: str) -> None:
    answer = filled.get(f"/dicom-web/studies?accept={accept}", headers={"Accept": "text/html"})
    assert (answer.status_code, "warning" in answer.headers) == (200, False)


def test_an_answer_that_cannot_be_made_is_406(filled: TestClient) -> None:
    answer = filled.get("/dicom-web/studies", headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert "application/dicom+json" in answer.json()["Message"]


@pytest.mark.parametrize("accept", ["application/json", "application/dicom+json, multipart/related", "*/*", ""])
def test_json_by_every_usual_accept(filled: TestClient, accept: str) -> None:
    assert filled.get("/dicom-web/studies", headers={"Accept": accept}).status_code == 200
