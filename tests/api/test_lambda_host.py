"""Every function's handler, with the payload that API Gateway sends it."""

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws

from dicomweb.archive import Archive, object_writer
from dicomweb.settings import settings
from tests.builders import ROOT, a_body, a_file, an_archive, handler_of

EVENTS = ROOT / "events"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    with mock_aws():
        archive = an_archive()
        monkeypatch.setenv("DICOMWEB_BUCKET", "archive")
        monkeypatch.setenv("DICOMWEB_TABLE", "index")
        settings.cache_clear()
        yield archive
        settings.cache_clear()


def event(function: str, **changes: Any) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((EVENTS / f"{function}.json").read_text())
    return payload | changes


def body_of(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()


def content_type(answer: dict[str, Any]) -> str:
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    return str(headers["content-type"])


def test_there_is_a_payload_for_every_function() -> None:
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert {path.stem for path in EVENTS.glob("*.json")} == functions


def test_the_page_and_capabilities_are_for_who_is_not_known(deployed: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_AUTHENTICATION_ENABLED", "true")
    settings.cache_clear()
    page = handler_of("page")(event("page"), None)
    assert (page["statusCode"], content_type(page)) == (200, "text/html; charset=utf-8")
    assert b"<script type" in body_of(page)
    told = handler_of("capabilities")(event("capabilities"), None)
    (resources,) = json.loads(body_of(told))["application"]["resources"]
    assert resources["base"] == "https://abcdef1234.execute-api.us-east-1.amazonaws.com/v1/"


def test_each_payload_through_its_handler(deployed: Archive) -> None:
    stored = handler_of("stow_rs")(event("stow_rs"), None)
    assert (stored["statusCode"], stored["isBase64Encoded"]) == (200, False)

    found = handler_of("qido_rs")(event("qido_rs"), None)
    assert (found["statusCode"], content_type(found)) == (200, "application/dicom+json")
    (row,) = json.loads(body_of(found))
    host = "https://abcdef1234.execute-api.us-east-1.amazonaws.com/v1/dicom-web"
    assert row["00081190"]["Value"] == [f"{host}/studies/1.2.3"]

    frame = handler_of("wado_rs")(event("wado_rs"), None)
    assert (frame["statusCode"], frame["isBase64Encoded"]) == (200, True)
    assert bytes([0, 0, 1, 0, 2, 0]) in body_of(frame)

    picture = handler_of("rendered")(event("rendered"), None)
    assert (picture["statusCode"], content_type(picture), body_of(picture)[:4]) == (200, "image/png", b"\x89PNG")

    file = handler_of("wado_uri")(event("wado_uri"), None)
    assert (file["statusCode"], body_of(file)) == (200, a_file())

    upload = handler_of("uploads")(event("uploads"), None)
    assert (upload["statusCode"], json.loads(body_of(upload))["PartCount"]) == (201, 3)

    assert handler_of("delete_rs")(event("delete_rs"), None)["statusCode"] == 204
    assert json.loads(body_of(handler_of("qido_rs")(event("qido_rs"), None))) == []


def test_stored_gzip_goes_out_as_it_is(deployed: Archive) -> None:
    handler_of("stow_rs")(event("stow_rs"), None)
    headers = {"Host": "h", "Accept-Encoding": "gzip"}
    answer = handler_of("wado_rs")(
        event("wado_rs", path="/dicom-web/studies/1.2.3/metadata", headers=headers, multiValueHeaders=None), None
    )
    assert answer["isBase64Encoded"]
    assert body_of(answer).startswith(b"\x1f\x8b")


def test_a_large_answer_is_a_redirect_to_s3_that_is_written_once(
    deployed: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mb = 1024 * 1024
    monkeypatch.setattr(object_writer, "PART", 5 * mb)
    files = [
        a_file(SOPInstanceUID=f"1.2.3.1.{n}", Rows=1024, Columns=1536, PixelData=bytes([n]) * 3 * mb) for n in (1, 2, 3)
    ]
    for file in files:
        payload = event("stow_rs", body=base64.b64encode(a_body([file])).decode())
        assert handler_of("stow_rs")(payload, None)["statusCode"] == 200
    retrieve = handler_of("wado_rs")
    study = event("wado_rs", path="/dicom-web/studies/1.2.3", headers={"Host": "h"}, multiValueHeaders=None)
    answers = [retrieve(study, None) for _ in range(2)]
    assert [answer["statusCode"] for answer in answers] == [307, 307]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    urls = [httpx.URL(answer["headers"]["location"]) for answer in answers]
    assert urls[0].path == urls[1].path
    stored = boto3.client("s3").get_object(
        Bucket="archive", Key=urls[0].path.removeprefix("/").removeprefix("archive/")
    )
    content = stored["Body"].read()
    assert all(file in content for file in files)
    assert stored["ContentType"].startswith('multipart/related; type="application/dicom"; boundary=')
    assert len(boto3.client("s3").list_object_versions(Bucket="archive", Prefix="responses/")["Versions"]) == 1


def test_the_threshold_is_a_setting_and_a_stored_object_is_not_written_again(
    deployed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler_of("stow_rs")(event("stow_rs", body=base64.b64encode(a_body([a_file()])).decode()), None)
    monkeypatch.setenv("DICOMWEB_REDIRECT_OVER_BYTES", "100")
    monkeypatch.setenv("DICOMWEB_REDIRECT_SECONDS", "60")
    settings.cache_clear()
    headers = {"Host": "h", "Accept": "application/dicom; transfer-syntax=*"}
    path = "/dicom-web/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1"
    answer = handler_of("wado_rs")(event("wado_rs", path=path, headers=headers, multiValueHeaders=None), None)
    url = httpx.URL(answer["headers"]["location"])
    assert (answer["statusCode"], url.path.endswith(f"{path.removeprefix('/dicom-web')}.dcm")) == (307, True)
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="archive", Prefix="responses/")


def test_head_has_no_body_and_writes_nothing(deployed: Archive) -> None:
    handler_of("stow_rs")(event("stow_rs"), None)
    study = event("wado_rs", path="/dicom-web/studies/1.2.3", httpMethod="HEAD", headers={"Host": "h"})
    answer = handler_of("wado_rs")(study | {"multiValueHeaders": None}, None)
    assert (answer["statusCode"], answer["body"]) == (200, "")


def test_an_answer_that_fails_half_way_leaves_no_upload_behind(
    deployed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_writer, "PART", 5 * 1024 * 1024)
    for n in (1, 2):
        file = a_file(SOPInstanceUID=f"1.2.3.1.{n}", Rows=2048, Columns=1536, PixelData=bytes(6 * 1024 * 1024))
        handler_of("stow_rs")(event("stow_rs", body=base64.b64encode(a_body([file])).decode()), None)
    boto3.client("s3").delete_object(Bucket="archive", Key="studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.2.dcm")
    study = event("wado_rs", path="/dicom-web/studies/1.2.3", headers={"Host": "h"}, multiValueHeaders=None)
    answer = handler_of("wado_rs")(study, None)
    assert answer["statusCode"] >= 400
    assert "Uploads" not in boto3.client("s3").list_multipart_uploads(Bucket="archive")


def test_logs_have_no_query_string(deployed: Archive, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        handler_of("qido_rs")(event("qido_rs", queryStringParameters={"PatientName": "Secret*"}), None)
    answered = [vars(record) for record in caplog.records if record.message == "answered"]
    assert [record["path"] for record in answered] == ["/dicom-web/studies"]
    assert "Secret" not in str([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    ("path", "asked", "url"),
    [
        ("/dicom-web/studies", "/v1/dicom-web/studies", "https://h.example/v1/dicom-web/studies/1.2.3"),  # a stage
        ("/dicom-web/studies", "/dicom-web/studies", "https://h.example/dicom-web/studies/1.2.3"),  # a custom domain
        (
            "/pacs/dicom-web/studies",
            "/pacs/dicom-web/studies",
            "https://h.example/pacs/dicom-web/studies/1.2.3",
        ),  # with a base path
    ],
)
def test_urls_are_those_that_were_asked_for(deployed: Archive, path: str, asked: str, url: str) -> None:
    handler_of("stow_rs")(event("stow_rs"), None)
    payload = event("qido_rs", path=path, headers={"Host": "h.example"}, multiValueHeaders=None)
    payload["requestContext"] = payload["requestContext"] | {"path": asked}
    (row,) = json.loads(body_of(handler_of("qido_rs")(payload, None)))
    assert row["00081190"]["Value"] == [url]


def test_handlers_are_thin() -> None:
    for path in sorted(Path(ROOT / "functions").glob("*/app.py")):
        assert len(path.read_text().splitlines()) <= 10
