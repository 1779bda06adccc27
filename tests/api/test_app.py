import logging

import pytest
from fastapi.testclient import TestClient

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from dicomweb.archive.index import Index
from dicomweb.errors import ArchiveBusy
from tests.builders import an_archive


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/dicom-web/nothing",
        "/dicom-web/app/client/..%2fapp.py",
        "/dicom-web/studies/1.2/nothing",
        "/wado/x",
    ],
)
def test_an_unknown_path_is_404_in_json(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["HttpError"]) == (404, "Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/dicom-web/studies", "GET, HEAD, POST"),
        ("POST", "/dicom-web/series", "GET, HEAD"),
        ("PATCH", "/dicom-web/studies/1.2", "DELETE, GET, HEAD, POST"),
        ("DELETE", "/dicom-web/studies", "GET, HEAD, POST"),
        ("POST", "/wado", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_says_the_right_ones(client: TestClient, method: str, path: str, allow: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert allow in answer.json()["Message"]


@pytest.mark.parametrize(
    "path", ["studies/abc", "studies/1.2/series/..%2f", "studies/" + "1" * 65, "studies/1.2/metadata"]
)
def test_a_path_without_such_a_study_is_a_4xx(client: TestClient, path: str) -> None:
    answer = client.get(f"/dicom-web/{path}")
    assert answer.status_code in (400, 404)
    assert answer.json()["Message"]


def test_an_unexpected_error_is_a_500_without_a_trace_and_is_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Index, "studies_by_date", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR):
        answer = client.get("/dicom-web/studies?StudyDescription=*Secret")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert "Secret" not in answer.text + caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_an_archive_that_does_not_answer_is_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise ArchiveBusy("the index did not answer")

    monkeypatch.setattr(Index, "studies_by_date", busy)
    assert client.get("/dicom-web/studies").status_code == 503


def test_services_can_be_moved_and_switched_off() -> None:
    from moto import mock_aws

    with mock_aws():
        archive: Archive = an_archive(DicomWeb={"Root": "/here/", "EnableWado": False})
        client = TestClient(make_app(archive))
        assert client.get("/here/studies").json() == []
        assert client.get("/wado?requestType=WADO&objectUID=1.2").status_code == 404


def test_health(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
