from datetime import timedelta

import boto3
import pytest

from dicomweb.archive import Archive, keys, storage
from tests.builders import a_series
from tests.cli.conftest import run
from tests.transactions.test_store import store

WHERE = ("--bucket", "archive", "--table", "index")


@pytest.fixture
def filled(archive: Archive) -> Archive:
    store(archive, *a_series(2))
    return archive


def test_what_agrees_is_left_alone(filled: Archive) -> None:
    done = run("reconcile", *WHERE)
    assert (done.exit_code, done.text.strip()) == (0, "reconcile: 1 studies, 0 changed")


def test_what_a_crash_left_is_mended_and_named(filled: Archive) -> None:
    key = dict(zip(("pk", "sk"), ({"S": part} for part in keys.study_key("1.2.3")), strict=True))
    boto3.client("dynamodb").update_item(
        TableName="index", Key=key, UpdateExpression="SET instances = :n", ExpressionAttributeValues={":n": {"N": "7"}}
    )
    done = run("reconcile", *WHERE)
    assert done.exit_code == 0
    assert "1 changed" in done.text
    assert "1.2.3" in done.text
    row = filled.index.study("1.2.3")
    assert row
    assert row.instance_count == 2


def test_an_index_that_was_lost_is_made_of_the_objects(filled: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_IN_FLIGHT", timedelta(0))
    dynamodb = boto3.client("dynamodb")
    for item in dynamodb.scan(TableName="index")["Items"]:
        dynamodb.delete_item(TableName="index", Key={"pk": item["pk"], "sk": item["sk"]})
    assert run("rebuild-index", *WHERE).exit_code == 0
    assert len(filled.index.instances_of("1.2.3", "1.2.3.1")) == 2


def test_an_archive_that_is_not_there_is_said(archive: Archive) -> None:
    done = run("reconcile", "--bucket", "nowhere", "--table", "index")
    assert done.exit_code == 2
    assert done.said
