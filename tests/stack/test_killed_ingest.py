"""The function of the queue, and a host of upload sessions, killed at any of their writes: what comes by them is stored.

The queue tells again of what nobody finished: that alone, or after a reconcile, leaves everything there once, nothing
half there, counts exact, and what could not be stored named.
"""

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dicomweb.archive import Archive, keys
from dicomweb.jobs.ingest import ingest
from local.stack import LocalAws
from tests.builders import ROOT
from tests.stack.hosts import client, ingest_in_a_process
from tests.stack.killing import STUDY, by_a_host, files, forget, kill_at_every_write, mend, seen, store, there


def a_zip() -> bytes:
    """Two instances, and what is none."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, file in zip(("3.dcm", "4.dcm", "notes.txt"), [*files(3, 4), b"no DICOM"], strict=True):
            archive.writestr(name, file)
    return content.getvalue()


ALL = {1, 2, 3, 4}
ZIPPED = a_zip()


@pytest.fixture(autouse=True)
def nobody_is_told(aws: LocalAws) -> Iterator[None]:
    """S3 tells the queue of nothing: the test delivers what it would."""
    s3, bucket = client(aws.url, "s3"), aws.outputs().bucket
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    told.pop("ResponseMetadata")
    assert told
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    yield
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    for each in s3.list_objects_v2(Bucket=bucket, Prefix=keys.FAILED).get("Contents", ()):
        s3.delete_object(Bucket=bucket, Key=each["Key"])


@pytest.fixture
def study(steady: httpx.Client) -> Iterator[None]:
    """Two instances are there before."""
    assert store(steady, 1, 2).status_code == 200
    yield
    assert steady.delete(f"/studies/{STUDY}").status_code == 204


class Door:
    """A way of a ZIP file into the bucket."""

    def __init__(self, aws: LocalAws, steady: httpx.Client) -> None:
        self.aws = aws
        self.steady = steady
        self.s3 = client(aws.url, "s3")
        self.bucket = aws.outputs().bucket
        self.key = ""

    def put(self) -> None:
        self.key = f"{keys.INCOMING}killed/{uuid.uuid4()}.zip"
        self.s3.put_object(Bucket=self.bucket, Key=self.key, Body=ZIPPED)

    def told(self) -> dict[str, Any]:
        """The event of what is there."""
        version = self.s3.head_object(Bucket=self.bucket, Key=self.key)["VersionId"]
        event: dict[str, Any] = json.loads((ROOT / "events" / "ingest.json").read_text())
        (record,) = event["Records"]
        body = json.loads(record["body"])
        body["Records"][0]["s3"]["object"] = {"key": self.key, "versionId": version}
        record["body"] = json.dumps(body)
        return event

    @property
    def is_acknowledged(self) -> bool:
        """Whether somebody may take it for done: what was put there is gone."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.key)
        return not found.get("Contents")

    def assert_done(self) -> None:
        """It is gone, and what could not be stored is named."""
        assert self.is_acknowledged
        failed = self.key.replace(keys.INCOMING, keys.FAILED, 1)
        reasons = json.loads(self.s3.get_object(Bucket=self.bucket, Key=f"{failed}.json")["Body"].read())
        assert (reasons["Stored"], [each["Name"] for each in reasons["Failures"]]) == (2, ["notes.txt"])
        assert self.s3.get_object(Bucket=self.bucket, Key=failed)["Body"].read() == ZIPPED


class Session(Door):
    """An upload session."""

    def put(self) -> None:
        self.begin(self.steady)
        self.send()
        self.complete(self.steady)

    def begin(self, http: httpx.Client) -> httpx.Response:
        answer = http.post("/uploads", json={"Size": len(ZIPPED)})
        self.state = answer.json()
        self.key = f"{keys.INCOMING}uploads/{self.state['Id']}"
        return answer

    def send(self) -> None:
        httpx.put(self.state["Parts"][0]["Url"], content=ZIPPED).raise_for_status()

    def complete(self, http: httpx.Client) -> httpx.Response:
        return http.post(f"/uploads/{self.state['Id']}/complete").raise_for_status()

    def look(self) -> Any:
        return self.steady.get(f"/uploads/{self.state['Id']}").raise_for_status().json()

    @property
    def is_acknowledged(self) -> bool:
        """Also when its outcomes are told."""
        return super().is_acknowledged or self.look()["State"] == "Done"

    def assert_done(self) -> None:
        super().assert_done()
        found = self.look()
        assert (found["State"], found["Status"]) == ("Done", 202)
        assert len(found["Response"]["00081199"]["Value"]) == 2
        assert "part 3: not a DICOM file" in json.dumps(found["Response"])


def tell_again(archive: Archive, event: dict[str, Any]) -> None:
    assert ingest(archive, event) == {"batchItemFailures": []}


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("mends", [False, True])
@pytest.mark.parametrize("door", [Door, Session])
def test_an_ingest(
    aws: LocalAws, deployed_archive: Archive, steady: httpx.Client, door: type[Door], mends: bool
) -> None:
    way, event = door(aws, steady), dict[str, Any]()

    def attempt(write: int, when: str) -> bool:
        forget(steady, 3, 4)
        way.put()
        event.update(way.told())
        return ingest_in_a_process(aws, event, write, when)

    def check() -> None:
        assert seen(steady) == ALL if way.is_acknowledged else {1, 2} <= seen(steady)
        if mends:
            mend(deployed_archive)
            assert {1, 2} <= there(deployed_archive) == seen(steady)
        tell_again(deployed_archive, event)
        assert there(deployed_archive) == seen(steady) == ALL
        way.assert_done()
        mend(deployed_archive)
        assert there(deployed_archive) == seen(steady) == ALL
        assert mend(deployed_archive) == []

    assert kill_at_every_write(attempt, check) >= 8
    assert there(deployed_archive) == seen(steady) == ALL
    way.assert_done()


@pytest.mark.usefixtures("study")
def test_the_first_and_the_last_request_of_an_upload_session(
    aws: LocalAws, deployed_archive: Archive, steady: httpx.Client
) -> None:
    session = Session(aws, steady)

    def is_begun_again() -> None:
        session.begin(steady)
        assert session.look()["State"] == "Receiving"

    def is_completed_again() -> None:
        found = session.look()
        assert found["State"] in ("Receiving", "Storing")
        assert found.get("Parts", []) == []
        session.complete(steady)
        session.complete(steady)
        assert session.look()["State"] == "Storing"
        assert seen(steady) == {1, 2}
        tell_again(deployed_archive, session.told())
        assert there(deployed_archive) == seen(steady) == ALL
        session.assert_done()
        forget(steady, 3, 4)

    def completed(http: httpx.Client) -> httpx.Response:
        session.begin(steady)
        session.send()
        return session.complete(http)

    assert kill_at_every_write(by_a_host(aws, session.begin), is_begun_again) == 2
    assert kill_at_every_write(by_a_host(aws, completed), is_completed_again) == 1
    tell_again(deployed_archive, session.told())
    assert there(deployed_archive) == seen(steady) == ALL
