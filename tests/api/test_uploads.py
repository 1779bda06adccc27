"""Upload sessions: parts in any order, again, and later; what becomes of them is told."""

import io
import zipfile
from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient

from dicomweb.archive import Archive
from dicomweb.transactions import upload_sessions
from tests.builders import MULTIPART, a_body, a_series, store_dropped

PART = 5 * 1024 * 1024  # bytes; the least that S3 takes


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_sessions, "_LEAST_PART", PART)


def a_large_zip(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number, content in enumerate(a_series(3)):
            archive.writestr(f"{number}.dcm", content)
        archive.writestr("DICOMDIR", bytes(size))
    return file.getvalue()


def start(client: TestClient, size: int, content_type: str = "application/zip") -> dict[str, Any]:
    answer = client.post("/dicom-web/uploads", json={"Size": size, "ContentType": content_type})
    assert (answer.status_code, answer.headers["location"]) == (201, answer.json()["Url"])
    started: dict[str, Any] = answer.json()
    return started


def put(session: dict[str, Any], number: int, content: bytes) -> None:
    """As who has the URL does; moto is asked through its own client."""
    url = next(part["Url"] for part in session["Parts"] if part["PartNumber"] == number)
    upload = url.partition("uploadId=")[2].partition("&")[0]
    boto3.client("s3").upload_part(
        Bucket="archive", Key=f"incoming/uploads/{session['Id']}", UploadId=upload, PartNumber=number, Body=content
    )


def test_parts_in_any_order_again_and_later_are_stored(client: TestClient, archive: Archive) -> None:
    content = a_large_zip(2 * PART)
    session = start(client, len(content))
    parts = {number: content[(number - 1) * PART : number * PART] for number in range(1, session["PartCount"] + 1)}
    assert (session["PartCount"], session["State"], session["PartSize"]) == (3, "Receiving", PART)
    put(session, 3, parts[3])
    put(session, 1, bytes(PART))
    session = client.get(session["Url"]).json()
    assert [part["PartNumber"] for part in session["Parts"]] == [2]
    put(session, 2, parts[2])
    put(session | {"Parts": [{"PartNumber": 1, "Url": session["Parts"][0]["Url"]}]}, 1, parts[1])  # once more
    assert client.post(f"{session['Url']}/complete").status_code == 202
    assert client.get(session["Url"]).json()["State"] == "Storing"
    assert client.post(f"{session['Url']}/complete").status_code == 202
    store_dropped(archive, f"incoming/uploads/{session['Id']}")
    done = client.get(session["Url"]).json()
    assert (done["State"], done["Status"], len(done["Response"]["00081199"]["Value"])) == ("Done", 200, 3)
    assert done["Response"]["00081190"]["Value"] == ["http://testserver/dicom-web/studies/1.2.3"]
    assert len(client.get("/dicom-web/instances").json()) == 3


def test_a_multipart_body_has_its_content_type(client: TestClient, archive: Archive) -> None:
    body = b"preamble\r\n" + a_body(a_series(2))
    session = start(client, len(body), MULTIPART)
    put(session, 1, body)
    client.post(f"{session['Url']}/complete")
    store_dropped(archive, f"incoming/uploads/{session['Id']}")
    assert client.get(session["Url"]).json()["Status"] == 200


@pytest.mark.parametrize(("number", "content"), [(1, bytes(PART)), (2, b"short")])
def test_an_upload_with_parts_missing_is_not_complete(client: TestClient, number: int, content: bytes) -> None:
    session = start(client, PART + 100)
    put(session, number, content)
    answer = client.post(f"{session['Url']}/complete")
    assert answer.status_code == 400
    assert "parts are missing or of another size" in answer.json()["Message"]
    assert client.get(session["Url"]).json()["State"] == "Receiving"


def test_an_upload_that_is_aborted_is_gone(client: TestClient) -> None:
    session = start(client, 100)
    put(session, 1, bytes(100))
    assert client.delete(session["Url"]).status_code == 204
    assert [client.request(method, session["Url"]).status_code for method in ("GET", "DELETE")] == [404, 404]
    assert client.post(f"{session['Url']}/complete").status_code == 404
    assert not boto3.client("s3").list_multipart_uploads(Bucket="archive").get("Uploads")


@pytest.mark.parametrize(
    "body",
    ["", "x", "{}", '{"Size": 0}', '{"Size": -1}', '{"Size": 99999999999999}', '{"Size": 1, "Other": 2}', '{"Size": "a"}',
     '{"Size": 1, "ContentType": "a\\nb"}'],
)  # fmt: skip
def test_what_is_no_upload_is_refused(client: TestClient, body: str) -> None:
    answer = client.post("/dicom-web/uploads", content=body)
    assert (answer.status_code, "Size" in answer.json()["Message"] or "ContentType" in answer.json()["Message"]) == (
        400,
        True,
    )


@pytest.mark.parametrize("name", ["x", "0" * 32, "0" * 64])
def test_unknown_uploads(client: TestClient, name: str) -> None:
    assert client.get(f"/dicom-web/uploads/{name}").status_code == 404
