"""Whatever step a crash interrupts, reconciling makes index and objects agree, and loses nothing acknowledged."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest

from dicomweb.archive import Archive, connect, keys, storage
from dicomweb.archive.index import Index
from dicomweb.archive.storage import Storage
from dicomweb.dicom.store_response import Stored
from dicomweb.jobs.housekeeping import housekeep
from dicomweb.transactions.delete import delete_instances
from dicomweb.transactions.metadata import series_documents
from dicomweb.transactions.reconcile import (
    OBJECT_WITHOUT_ROW,
    REPLACED,
    ROW_WITHOUT_OBJECT,
    UNUSED,
    WRONG_COUNTS,
    reconcile_study,
)  # fmt: skip
from dicomweb.transactions.store import store_instances
from tests.builders import a_file, a_series
from tests.transactions.test_store import parts, store

KEY = keys.instance_object("1.2.3", "1.2.3.1", "1.2.3.1.1")


@pytest.fixture(autouse=True)
def nothing_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_IN_FLIGHT", timedelta(0))


class Killed(BaseException):
    """The process is gone: no handler of ours runs."""


def objects(prefix: str = "") -> set[str]:
    return {
        each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket="archive", Prefix=prefix).get("Contents", ())
    }


def agree(archive: Archive) -> dict[str, bytes]:
    """The bytes of every instance in the index, by UID; index and objects say the same."""
    found: dict[str, bytes] = {}
    expected: set[str] = set()
    for study, _ in archive.index.studies_by_date(keys.EVERYTHING):
        row = archive.index.study(study)
        assert row
        series = archive.index.series_of(study)
        instances = [each for one in series for each in archive.index.instances_of(study, one.series)]
        assert (row.series_count, row.instance_count) == (len(series), len(instances))
        assert [one.instance_count for one in series] == [
            len(archive.index.instances_of(study, one.series)) for one in series
        ]
        for each in instances:
            found[each.instance] = archive.storage.read_bytes(each.object_key)
            expected |= {each.object_key, keys.fragment_object(study, each.series, each.fragment)}
        for one in series:
            assert len(series_documents(archive, one)) == one.instance_count
    left = {key for key in objects() if not key.endswith("series.json.gz")}
    assert left == expected
    return found


def test_what_agrees_is_left_as_it_is(archive: Archive) -> None:
    store(archive, *a_series(3))
    before = objects()
    assert reconcile_study(archive, "1.2.3") == []
    assert objects() == before


@pytest.mark.parametrize(
    ("owner", "name"), [(Storage, "create_instance"), (Storage, "write_gzip"), (Index, "add")]
)  # every write of a store, in its order
@pytest.mark.parametrize("before", [True, False])
def test_a_store_that_is_killed_at_any_write(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, before: bool
) -> None:
    acknowledged, lost = a_series(3)[:2], a_series(3)[2]
    store(archive, *acknowledged)
    write: Callable[..., Any] = getattr(owner, name)

    def kill(*arguments: Any, **named: Any) -> Any:
        if not before:
            write(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, kill)
        with pytest.raises(Killed):
            store(archive, lost)
    reconcile_study(archive, "1.2.3")
    kept = agree(archive)
    assert {uid: kept[uid] for uid in ("1.2.3.1.1", "1.2.3.1.2")} == dict(
        zip(("1.2.3.1.1", "1.2.3.1.2"), acknowledged, strict=True)
    )
    # It was never acknowledged: it is there whole, or not at all, and can be stored.
    assert kept.get("1.2.3.1.3", lost) == lost
    assert isinstance(store(archive, lost)[0], Stored)
    assert len(agree(archive)) == 3


@pytest.mark.parametrize("name", ["remove", "delete"])
def test_a_delete_that_is_killed_at_any_write(archive: Archive, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    store(archive, *a_series(3))
    owner: Any = Index if name == "remove" else Storage
    write: Callable[..., Any] = getattr(owner, name)

    def kill(*arguments: Any) -> Any:
        write(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, kill)
        with pytest.raises(Killed):
            delete_instances(archive, "1.2.3", "1.2.3.1", "1.2.3.1.2")
    reconcile_study(archive, "1.2.3")
    assert {"1.2.3.1.1", "1.2.3.1.3"} <= agree(archive).keys()


@pytest.mark.parametrize("owner", [Storage, Index])
def test_a_replacement_that_is_killed(archive: Archive, monkeypatch: pytest.MonkeyPatch, owner: Any) -> None:
    first, other = a_file(), a_file(PatientName="Roe")
    store(archive, first)
    name = "delete" if owner is Storage else "add"

    def kill(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, kill)
        with pytest.raises(Killed):
            store_instances(archive, parts([other]), "", replaces=True)
    assert reconcile_study(archive, "1.2.3")[0].what == REPLACED
    assert agree(archive) == {"1.2.3.1.1": first if owner is Index else other}


def test_an_object_without_a_row_is_indexed(archive: Archive) -> None:
    file = a_file()
    boto3.client("s3").put_object(Bucket="archive", Key=KEY, Body=file)
    assert [(each.what, each.where) for each in reconcile_study(archive, "1.2.3")] == [(OBJECT_WITHOUT_ROW, KEY)]


def test_a_row_whose_object_is_gone_gets_its_version_back(archive: Archive) -> None:
    (file,) = a_series(1)
    store(archive, file)
    boto3.client("s3").delete_object(Bucket="archive", Key=KEY)
    (finding,) = reconcile_study(archive, "1.2.3")
    assert (finding.what, finding.outcome) == (ROW_WITHOUT_OBJECT, "brought back")
    assert agree(archive) == {"1.2.3.1.1": file}


def test_a_row_whose_object_is_lost_goes(archive: Archive) -> None:
    store(archive, *a_series(2))
    client = boto3.client("s3")
    for version in client.list_object_versions(Bucket="archive", Prefix=KEY)["Versions"]:
        client.delete_object(Bucket="archive", Key=KEY, VersionId=version["VersionId"])
    findings = reconcile_study(archive, "1.2.3")
    assert "lost" in findings[0].outcome
    assert len(agree(archive)) == 1


@pytest.mark.parametrize("attribute", ["instances", "series"])
def test_wrong_counts_are_made_right(archive: Archive, attribute: str) -> None:
    store(archive, *a_series(2))
    client = boto3.client("dynamodb")
    of = {"pk": {"S": "S#1.2.3"}, "sk": {"S": "STUDY" if attribute == "series" else "SERIES#1.2.3.1"}}
    client.update_item(
        TableName="index",
        Key=of,
        UpdateExpression="SET #n = :n",
        ExpressionAttributeNames={"#n": attribute},
        ExpressionAttributeValues={":n": {"N": "7"}},
    )
    assert [each.what for each in reconcile_study(archive, "1.2.3")] == [WRONG_COUNTS]
    assert len(agree(archive)) == 2


def test_metadata_that_nothing_leads_to_go(archive: Archive) -> None:
    store(archive, *a_series(2))
    archive.storage.write_gzip(keys.fragment_object("1.2.3", "1.2.3.1", "f" * 32), b"", {})
    assert [each.what for each in reconcile_study(archive, "1.2.3")] == [UNUSED]
    assert len(agree(archive)) == 2


def test_an_index_that_is_lost_is_made_of_the_objects(archive: Archive) -> None:
    files = [
        *a_series(3),
        *a_series(2, study="1.2.4", series="1.2.4.1", PatientID="P2"),
        *a_series(1, study="1.2", series="1.2.9"),
    ]
    store(archive, *files)
    client = boto3.client("dynamodb")
    for item in client.scan(TableName="index")["Items"]:
        client.delete_item(TableName="index", Key={"pk": item["pk"], "sk": item["sk"]})
    archive = connect(archive.settings)
    start, studies = "", 0
    for _ in range(10):
        run = housekeep(archive, "rebuild-index", start, seconds=0)
        start, studies = run.next, studies + run.studies
        if not start:
            break
    assert studies == 3
    assert sorted(agree(archive).values()) == sorted(files)


def test_reconciling_the_whole_archive_finds_what_is_on_either_side_alone(archive: Archive) -> None:
    store(archive, a_file(), *a_series(1, study="1.2.4", series="1.2.4.1"))
    boto3.client("s3").put_object(
        Bucket="archive",
        Key=keys.instance_object("1.2.5", "1.2.5.1", "1.2.5.1.1"),
        Body=a_series(1, study="1.2.5", series="1.2.5.1")[0],
    )
    client = boto3.client("s3")
    for version in client.list_object_versions(Bucket="archive", Prefix=KEY)["Versions"]:
        client.delete_object(Bucket="archive", Key=KEY, VersionId=version["VersionId"])
    start, told = "", list[str]()
    for _ in range(10):
        run = housekeep(archive, "reconcile", start, seconds=0)
        start, told = run.next, told + run.told
        if not start:
            break
    assert [line.partition(":")[0] for line in told if UNUSED not in line] == [OBJECT_WITHOUT_ROW, ROW_WITHOUT_OBJECT]
    assert set(agree(archive)) == {"1.2.4.1.1", "1.2.5.1.1"}
