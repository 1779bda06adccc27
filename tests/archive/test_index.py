from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import boto3

from dicomweb.archive import Archive, keys
from dicomweb.archive.index import Index
from dicomweb.archive.keys import EVERYTHING
from dicomweb.archive.rows import InstanceRow, NewInstance
from dicomweb.archive.table import Table
from dicomweb.dicom.attributes import SERIES, STUDY, IndexedAttributes, Kept
from local.memory_dynamodb import MemoryDynamoDB
from tests.builders import an_instance


def a_new_instance(number: int = 1, series: str = "1.2.3.1", sha256: str = "a", **changes: object) -> NewInstance:
    instance = an_instance(SeriesInstanceUID=series, SOPInstanceUID=f"{series}.{number}", **changes)
    row = InstanceRow(
        instance.study, series, instance.instance, Kept({}), instance.transfer_syntax, 1, sha256, "f", 0, "", b"", {}
    )
    return NewInstance(
        row,
        IndexedAttributes().row_of(instance.metadata, SERIES),
        IndexedAttributes().row_of(instance.metadata, STUDY),
        str(changes.get("Modality", "CT")),
        instance.sop_class,
    )


def counts(archive: Archive, study: str = "1.2.3") -> tuple[int, int, frozenset[str]]:
    row = archive.index.studies([study])[study]
    return row.series_count, row.instance_count, row.modalities


def items_left() -> set[str]:
    return {item["pk"]["S"] for item in boto3.client("dynamodb").scan(TableName="index")["Items"]}


def test_counts_and_modalities_follow_what_is_added(archive: Archive) -> None:
    archive.index.add([a_new_instance(1), a_new_instance(2), a_new_instance(1, "1.2.3.2", Modality="MR")])
    archive.index.add([a_new_instance(3)])
    assert counts(archive) == (2, 4, frozenset({"CT", "MR"}))
    assert archive.index.one_series("1.2.3", "1.2.3.1").instance_count == 3  # type: ignore[union-attr]


def test_what_is_there_already_is_told_and_not_counted_again(archive: Archive) -> None:
    archive.index.add([a_new_instance(1)])
    known = archive.index.add([a_new_instance(1, sha256="b"), a_new_instance(2)])
    assert {uid: row.sha256 for uid, row in known.items()} == {"1.2.3.1.1": "a"}
    assert counts(archive)[1] == 2


def test_more_instances_than_one_transaction_takes(archive: Archive) -> None:
    archive.index.add([a_new_instance(number) for number in range(1, 251)])
    assert counts(archive)[1] == 250


def test_counts_are_exact_under_concurrent_writers() -> None:
    # moto's transactions are not isolated from one another; this table's are, as DynamoDB's.
    index = Index(Table(cast(Any, MemoryDynamoDB()), "index"))
    # Eight writers, each instance sent by two of them.
    batches = [[a_new_instance(n) for n in range(start, start + 20)] for start in (0, 10, 20, 30) * 2]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(index.add, batches))
    row = index.studies(["1.2.3"])["1.2.3"]
    assert (row.series_count, row.instance_count) == (1, 50)
    assert len(index.instances_of("1.2.3", "1.2.3.1")) == 50


def test_the_last_instance_takes_series_study_and_search_entries_with_it(archive: Archive) -> None:
    archive.index.add([a_new_instance(1), a_new_instance(1, "1.2.3.2", Modality="MR")])
    archive.index.remove(archive.index.instances_of("1.2.3", "1.2.3.2"))
    assert counts(archive) == (1, 1, frozenset({"CT"}))
    archive.index.remove(archive.index.instances_of("1.2.3", "1.2.3.1"))
    assert items_left() == {keys.MONTHS}


def test_search_entries_for_which_a_transaction_has_no_room_come_and_go_with_the_study(archive: Archive) -> None:
    name = "=".join("".join(chr(97 + (n * step) % 26) for n in range(60)) for step in (1, 3, 5))
    archive.index.add([a_new_instance(1, PatientName=name)])
    assert len(items_left()) > 150  # a transaction has 100
    assert [study for study, _ in archive.index.studies_by_gram("00100010", name[50:55], EVERYTHING)] == ["1.2.3"]
    archive.index.remove(archive.index.instances_of("1.2.3", "1.2.3.1"))
    assert items_left() == {keys.MONTHS}


def test_every_write_changes_the_version_of_a_series(archive: Archive) -> None:
    versions = []
    for number in (1, 2):
        archive.index.add([a_new_instance(number)])
        versions.append(archive.index.one_series("1.2.3", "1.2.3.1").version)  # type: ignore[union-attr]
    archive.index.remove(archive.index.instances_of("1.2.3", "1.2.3.1")[:1])
    versions.append(archive.index.one_series("1.2.3", "1.2.3.1").version)  # type: ignore[union-attr]
    assert len(set(versions)) == 3


def test_a_uid_alone_leads_to_its_study_and_series(archive: Archive) -> None:
    archive.index.add([a_new_instance(1)])
    assert archive.index.paths_of_uid("1.2.3.1.1") == [("1.2.3", "1.2.3.1")]
    assert archive.index.paths_of_uid("1.2.3.1") == [("1.2.3", "1.2.3.1")]
