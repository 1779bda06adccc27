"""What is told of requests: metrics, and who did what; nothing of patients."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from dicomweb.passwords import hash_password
from tests.builders import MULTIPART, a_body, a_series, an_archive

HASH = hash_password("secret")


@pytest.fixture
def observed() -> Iterator[Archive]:
    """An archive that is observed, and asks who somebody is."""
    with mock_aws():
        boto3.client("logs").create_log_group(logGroupName="audit")
        users = {"ann": {"Password": HASH, "Roles": ["read", "store", "admin"]}, "bob": {"Password": HASH, "Roles": []}}
        yield an_archive(
            AuditLogGroup="audit", MetricsNamespace="test", AuthenticationEnabled=True, RegisteredUsers=users
        )


@pytest.fixture
def ann(observed: Archive) -> TestClient:
    client = TestClient(make_app(observed), raise_server_exceptions=False)
    client.auth = ("ann", "secret")
    return client


def audited() -> list[dict[str, Any]]:
    """The records, without their times."""
    logs = boto3.client("logs")
    streams = logs.describe_log_streams(logGroupName="audit")["logStreams"]
    events = [
        event
        for stream in streams
        for event in logs.get_log_events(logGroupName="audit", logStreamName=stream["logStreamName"])["events"]
    ]
    records = [json.loads(event["message"]) for event in events]
    return [{name: value for name, value in record.items() if name not in ("time", "source")} for record in records]


def metrics(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"_aws"')]


def test_who_did_what_is_recorded(ann: TestClient) -> None:
    ann.post("/dicom-web/studies", content=a_body(a_series(2)), headers={"Content-Type": MULTIPART})
    ann.get("/dicom-web/studies?PatientName=Doe*&StudyInstanceUID=1.2.3")
    ann.get("/dicom-web/studies/1.2.3/series/1.2.3.1/metadata")
    ann.get("/wado?requestType=WADO&objectUID=1.2.3.1.1")
    ann.put("/dicom-web/servers/there", json={"Url": "http://192.0.2.1/"})
    ann.post("/dicom-web/uploads", json={"Size": 5})
    who = {"who": "ann", "status": 200, "outcome": "success"}
    records = audited()
    upload = records[-1].pop("Upload")
    assert len(upload) == 32
    assert records == [
        who | {"transaction": "Store", "resources": ["1.2.3"]},
        who | {"transaction": "SearchStudies"},
        who
        | {
            "transaction": "RetrieveSeriesMetadata",
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.1",
        },
        who | {"transaction": "RetrieveObject", "SOPInstanceUID": "1.2.3.1.1"},
        who | {"transaction": "DefineServer", "Name": "there"},
        who | {"transaction": "StartUpload", "status": 201},
    ]


def test_who_is_kept_out_is_recorded(ann: TestClient) -> None:
    ann.get("/dicom-web/studies/9.9.9")
    ann.auth = ("bob", "secret")
    ann.get("/dicom-web/studies")
    ann.auth = ("bob", "wrong")
    ann.get("/dicom-web/studies")
    told = [(each["who"], each["status"], each["outcome"], each["reason"]) for each in audited()]
    assert told == [
        ("ann", 404, "failure", "NotFound"),
        ("bob", 403, "failure", "NotAllowed"),
        ("", 401, "failure", "NotAuthenticated"),
    ]


def test_what_is_open_to_all_is_not_recorded(ann: TestClient) -> None:
    for path in ("/", "/dicom-web/info", "/health", "/dicom-web/openapi.json"):
        assert ann.get(path).status_code == 200
    assert audited() == []


def test_each_transaction_is_measured(ann: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    ann.post("/dicom-web/studies", content=a_body(a_series(2)), headers={"Content-Type": MULTIPART})
    ann.get("/dicom-web/studies/1.2.3/series/x")
    stored, refused, reason = metrics(capsys.readouterr().out)
    assert (stored["Transaction"], stored["Requests"]) == ("Store", [1.0])
    assert stored["ReceivedBytes"] == [float(len(a_body(a_series(2))))]
    assert stored["SentBytes"][0] > 100
    assert stored["Latency"][0] > 0
    assert (refused["Transaction"], refused["Requests"]) == ("RetrieveSeries", [1.0])
    assert (reason["Transaction"], reason["Reason"], reason["Failures"]) == ("RetrieveSeries", "InvalidUID", [1.0])
    assert stored["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "test"


def test_nothing_is_told_of_patients(ann: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    ann.post("/dicom-web/studies", content=a_body(a_series(2)), headers={"Content-Type": MULTIPART})
    ann.get("/dicom-web/studies?PatientName=Doe*&PatientID=P1&includefield=all")
    ann.post("/dicom-web/servers/there/get", json={"Uri": "/studies?PatientName=Doe", "Arguments": {"PatientID": "P1"}})
    text = capsys.readouterr().out + json.dumps(audited())
    assert not any(word in text for word in ("Doe", "P1", "secret"))


def test_an_answer_does_not_wait_for_a_record_that_cannot_be_written(
    ann: TestClient, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("logs").delete_log_group(logGroupName="audit")
    assert ann.get("/dicom-web/studies").status_code == 200
    assert [each for each in metrics(capsys.readouterr().out) if each.get("AuditFailures") == [1.0]]
    assert "could not be written" in caplog.text
