import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from tests.api.test_store import post
from tests.builders import a_body, a_file, an_archive


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


def test_xml(filled: TestClient) -> None:
    answer = filled.get("/dicom-web/studies", headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert answer.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"; boundary=')
    assert answer.content.count(b"<NativeDicomModel") == 2


def test_counts(filled: TestClient) -> None:
    for path in ("/studies/count", "/series/count?Modality=CT", "/instances/count"):
        assert filled.get(f"/dicom-web{path}").json() == {"count": 2}
    for path in (
        "/studies/1.1/series/count",
        "/studies/1.1/instances/count",
        "/studies/1.1/series/1.1.1/instances/count",
    ):
        assert filled.get(f"/dicom-web{path}").json() == {"count": 1}
    assert filled.get("/dicom-web/studies/count?PatientID=nobody").json() == {"count": 0}


@pytest.mark.parametrize(
    "query",
    [
        "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060",
        "PatientName=*oe*&limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060,00080090,00100030",
        "00100020=*P1*&limit=101&offset=0&fuzzymatching=true",
        "StudyDate=20240101-20241231&ModalitiesInStudy=CT&limit=101&offset=0",
        "StudyInstanceUID=1.1%5C1.2",
    ],
)
def test_the_queries_of_ohif(filled: TestClient, query: str) -> None:
    assert len(filled.get(f"/dicom-web/studies?{query}").json()) == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("PatientID=" + "x" * 65_000, 400),
        ("PatientID=%00", 400),
        ("PatientID=%ff", 400),
        ("PatientID=%zz", 400),
        ("PatientID=.*(%5B%5D%2B)%7B2%7D", 200),
        ("offset=100000000000", 200),
        ("StudyDate=20240201-20240101", 400),
    ],
)
def test_strange_queries(filled: TestClient, query: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb.api.search._LONGEST_QUERY", 64_000)  # httpx sends no longer URL
    answer = filled.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == status
    assert answer.json() == [] if status == 200 else answer.json()["Message"]


def test_a_search_that_is_too_broad_is_refused() -> None:
    with mock_aws():
        client = TestClient(make_app(an_archive(LimitFindReads=100)))
        files = [
            a_file(StudyInstanceUID=f"1.{n}", SeriesInstanceUID=f"1.{n}.1", SOPInstanceUID=f"1.{n}.1.1")
            for n in range(1, 120)
        ]
        assert post(client, a_body(files)).status_code == 200
        answer = client.get("/dicom-web/studies?StudyDescription=*rare*")
        assert (answer.status_code, "StudyDate" in answer.json()["Message"]) == (413, True)
        assert len(client.get("/dicom-web/studies?limit=5").json()) == 5
