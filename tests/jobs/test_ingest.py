"""Messages of S3 by way of a queue, as AWS sends them: at least once, in any order, several in one."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from dicomweb.archive import Archive
from dicomweb.archive.incoming import IncomingObjects, Received
from dicomweb.archive.index import Index
from dicomweb.errors import ArchiveBusy
from dicomweb.jobs.ingest import ingest_handler
from dicomweb.settings import settings
from tests.builders import ROOT, a_file, a_series, an_archive


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    with mock_aws():
        archive = an_archive()
        monkeypatch.setenv("DICOMWEB_BUCKET", "archive")
        monkeypatch.setenv("DICOMWEB_TABLE", "index")
        settings.cache_clear()
        yield archive
        settings.cache_clear()


def a_message(number: int, *keys: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "ingest.json").read_text())
    record = event["Records"][0]
    body = json.loads(record["body"])
    told = body["Records"][0]
    body["Records"] = [told | {"s3": told["s3"] | {"object": {"key": key}}} for key in keys]
    message: dict[str, Any] = record | {"messageId": str(number), "body": json.dumps(body)}
    return message


def test_messages_in_any_order_and_twice(deployed: Archive) -> None:
    client = boto3.client("s3")
    for number, file in enumerate(a_series(3)):
        client.put_object(Bucket="archive", Key=f"incoming/a b/{number}", Body=file)
    handler = ingest_handler()
    messages = [a_message(1, "incoming/a+b/2"), a_message(2, "incoming/a+b/0", "incoming/a%20b/1")]
    for records in (messages, messages[::-1]):
        assert handler({"Records": records}, None) == {"batchItemFailures": []}
    assert deployed.index.studies(["1.2.3"])["1.2.3"].instance_count == 3
    assert client.list_objects_v2(Bucket="archive", Prefix="incoming/")["KeyCount"] == 0


def test_a_message_whose_object_cannot_be_stored_now_stays_in_the_queue(
    deployed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = a_file(), a_file(StudyInstanceUID="1.2.4", SOPInstanceUID="1.2.4.1.1")
    client = boto3.client("s3")
    client.put_object(Bucket="archive", Key="incoming/1", Body=first)
    client.put_object(Bucket="archive", Key="incoming/2", Body=second)
    add = Index.add

    def busy_for_one(self: Index, instances: Any) -> Any:
        if instances[0].row.instance == "1.2.3.1.1":
            raise ArchiveBusy("try again")
        return add(self, instances)

    monkeypatch.setattr(Index, "add", busy_for_one)
    answer = ingest_handler()({"Records": [a_message(1, "incoming/1"), a_message(2, "incoming/2")]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert list(deployed.index.studies(["1.2.3", "1.2.4"])) == ["1.2.4"]
    assert dropped() == ["incoming/1"]


def test_a_message_whose_object_cannot_be_read_now_stays_in_the_queue(
    deployed: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop({"1": a_series(3)[0], "2": a_series(3)[1], "3": a_series(3)[2]})
    open_object = IncomingObjects.open

    def breaking(self: IncomingObjects, key: str, version: str) -> Received:
        received = open_object(self, key, version)
        if key != "incoming/2":
            return received

        def chunks() -> Iterator[bytes]:
            yield next(received.chunks)[:200]
            raise ArchiveBusy("S3 broke off")

        return Received(received.content_type, received.size, chunks())

    monkeypatch.setattr(IncomingObjects, "open", breaking)
    messages = [a_message(number, f"incoming/{number}") for number in (1, 2, 3)]
    assert ingest_handler()({"Records": messages}, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert (deployed.index.studies(["1.2.3"])["1.2.3"].instance_count, dropped()) == (2, ["incoming/2"])


def test_a_message_that_is_none_stays_in_the_queue(deployed: Archive) -> None:
    drop({"1": a_file()})
    messages = [a_message(0) | {"body": body} for body in ("no JSON", "[]", '{"Records": [{"s3": 1}]}')]
    answer = ingest_handler()({"Records": [*messages, a_message(1, "incoming/1")]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}] * 3}
    assert dropped() == []


def test_what_comes_in_ten_messages_is_written_as_if_it_came_in_one_request(deployed: Archive) -> None:
    drop({str(number): file for number, file in enumerate(a_series(10))})
    calls: list[str] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(self: BaseClient, operation: str, named: dict[str, Any]) -> Any:
        calls.append(operation)
        return make(self, operation, named)

    handler = ingest_handler()
    with patch.object(BaseClient, "_make_api_call", counted):
        handler({"Records": [a_message(number, f"incoming/{number}") for number in range(10)]}, None)
    assert deployed.index.studies(["1.2.3"])["1.2.3"].instance_count == 10
    # Of each it is read, put, and removed; all else is there once.
    assert Counter(calls)["PutObject"] == 10 + 1
    assert Counter(calls)["TransactWriteItems"] == 1
    assert len(calls) < 40


def drop(contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        boto3.client("s3").put_object(Bucket="archive", Key=f"incoming/{name}", Body=content)


def dropped() -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket="archive", Prefix="incoming/")
    return [each["Key"] for each in found.get("Contents", ())]


def test_what_s3_sends_to_see_whether_the_queue_is_there(deployed: Archive) -> None:
    record = a_message(1) | {"body": json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})}
    assert ingest_handler()({"Records": [record]}, None) == {"batchItemFailures": []}
