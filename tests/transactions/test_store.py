import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from dicomweb.archive import Archive, keys
from dicomweb.archive.index import Index
from dicomweb.archive.rows import InstanceRow, NewInstance
from dicomweb.archive.storage import Storage
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.orthanc_ids import orthanc_id
from dicomweb.dicom.store_response import (
    DUPLICATE_INSTANCE,
    OUT_OF_RESOURCES,
    Failed,
    Outcome,
    Stored,
)
from dicomweb.errors import ArchiveBusy, ArchiveRefused
from dicomweb.transactions import store as store_module
from dicomweb.transactions.delete import delete_instances
from dicomweb.transactions.metadata import series_metadata
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload
from tests.builders import a_file, a_series

KEY = keys.instance_object("1.2.3", "1.2.3.1", "1.2.3.1.1")


def parts(files: list[bytes]) -> Iterator[Part[Upload]]:
    for file in files:
        upload = Upload()
        upload.write(file)
        yield Part({"content-type": "application/dicom"}, upload)


def store(archive: Archive, *files: bytes, study: str = "") -> list[Outcome]:
    return store_instances(archive, parts(list(files)), study)


def stored_bytes(key: str = KEY) -> bytes:
    return boto3.client("s3").get_object(Bucket="archive", Key=key)["Body"].read()


def test_received_bytes_are_kept_unchanged_with_their_sha256(archive: Archive) -> None:
    file = a_file()
    path = ("1.2.3", "1.2.3.1", "1.2.3.1.1")
    assert store(archive, file) == [Stored(*path, "1.2.840.10008.5.1.4.1.1.2", orthanc_id("P1", *path))]
    assert stored_bytes() == file
    row = archive.index.instance("1.2.3", "1.2.3.1", "1.2.3.1.1")
    head = boto3.client("s3").head_object(Bucket="archive", Key=KEY)
    assert row
    assert row.sha256 == head["Metadata"]["sha256"]


def test_an_instance_that_fails_is_reported_and_the_others_are_stored(archive: Archive) -> None:
    first, bad, second = store(archive, a_file(), b"nonsense", a_file(SOPInstanceUID="1.2.3.1.2"))
    assert isinstance(first, Stored)
    assert isinstance(second, Stored)
    assert isinstance(bad, Failed)


def test_the_same_bytes_again_are_success_and_change_nothing(archive: Archive) -> None:
    store(archive, a_file())
    version = archive.index.studies(["1.2.3"])["1.2.3"].version
    assert isinstance(store(archive, a_file())[0], Stored)
    row = archive.index.studies(["1.2.3"])["1.2.3"]
    assert (row.instance_count, row.version) == (1, version)


def test_the_same_instance_twice_in_one_request_is_stored_once(archive: Archive) -> None:
    assert [type(outcome) for outcome in store(archive, a_file(), a_file())] == [Stored, Stored]
    assert archive.index.studies(["1.2.3"])["1.2.3"].instance_count == 1


@pytest.mark.parametrize("in_one_request", [True, False])
def test_other_content_under_a_known_uid_is_refused_and_the_first_is_kept(
    archive: Archive, in_one_request: bool
) -> None:
    first, other = a_file(), a_file(PatientID="P2")
    outcomes = store(archive, first, other) if in_one_request else store(archive, first) + store(archive, other)
    assert isinstance(outcomes[1], Failed)
    assert outcomes[1].reason == DUPLICATE_INSTANCE
    assert stored_bytes() == first


def test_bytes_that_a_crash_left_without_a_row_are_taken_over(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = a_file()
    boto3.client("s3").put_object(Bucket="archive", Key=KEY, Body=left)
    monkeypatch.setattr("dicomweb.archive.storage._IN_FLIGHT", timedelta(days=-1))
    file = a_file(PatientID="P2")
    assert isinstance(store(archive, file)[0], Stored)
    assert stored_bytes() == file


def test_bytes_that_another_writer_is_about_to_index_are_not_replaced(archive: Archive) -> None:
    boto3.client("s3").put_object(Bucket="archive", Key=KEY, Body=b"another's")
    assert isinstance(store(archive, a_file())[0], Failed)
    assert stored_bytes() == b"another's"


def test_an_interrupted_store_of_the_same_bytes_is_completed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ArchiveBusy("the index did not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Index, "add", fail)
        (outcome,) = store(archive, a_file())
    assert isinstance(outcome, Failed)
    assert outcome.reason == OUT_OF_RESOURCES
    assert archive.index.instance("1.2.3", "1.2.3.1", "1.2.3.1.1") is None
    assert isinstance(store(archive, a_file())[0], Stored)


def test_a_failed_write_fails_its_instance_alone(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Storage.create_instance

    def fail_one(self: Storage, key: str, *rest: Any) -> bool:
        if key.endswith("1.2.3.1.2.dcm"):
            raise ArchiveBusy("storage did not answer")
        return create(self, key, *rest)

    monkeypatch.setattr(Storage, "create_instance", fail_one)
    outcomes = store(archive, *a_series(3))
    assert [type(outcome) for outcome in outcomes] == [Stored, Failed, Stored]


def test_instances_of_another_study_than_the_requests_are_refused(archive: Archive) -> None:
    (outcome,) = store(archive, a_file(), study="9.9")
    assert isinstance(outcome, Failed)
    assert "study 1.2.3, the request is for study 9.9" in outcome.comment


def test_many_instances_of_several_series_and_studies(archive: Archive) -> None:
    files = a_series(100) + a_series(30, series="1.2.3.2") + a_series(5, study="1.2.4", series="1.2.4.1")
    assert all(isinstance(outcome, Stored) for outcome in store(archive, *files))
    found = archive.index.studies(["1.2.3", "1.2.4"])
    assert (found["1.2.3"].instance_count, found["1.2.3"].series_count) == (130, 2)
    assert found["1.2.4"].instance_count == 5


def test_a_large_instance_goes_up_in_parts(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    mb = 1024 * 1024
    monkeypatch.setattr("dicomweb.archive.storage._ONE_PUT", 6 * mb)
    monkeypatch.setattr("dicomweb.archive.storage._PART", 5 * mb)
    file = a_file(Rows=2048, Columns=2048, PixelData=bytes(range(256)) * (8 * mb // 256))
    assert isinstance(store(archive, file)[0], Stored)
    assert stored_bytes() == file
    assert isinstance(store(archive, file)[0], Stored)  # the same again: the condition holds for parts as well


def test_long_frame_tables_and_bulk_lists_are_objects_of_their_own(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicomweb.transactions.records._INLINE", 1)
    store(archive, a_file())
    row = archive.index.instance("1.2.3", "1.2.3.1", "1.2.3.1.1")
    assert row
    assert row.bulk is None
    place = keys.bulk_object("1.2.3", "1.2.3.1", row.fragment, "1.2.3.1.1")
    assert archive.storage.read_gzip(place).startswith(b'{"7FE00010"')


def test_an_instance_that_cannot_be_indexed_fails_alone(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    add = Index.add

    def refuse_one(self: Index, instances: list[NewInstance]) -> dict[str, InstanceRow]:
        if any(new.row.instance == "1.2.3.1.2" for new in instances):
            raise ArchiveRefused("the index refused it: ValidationException")
        return add(self, instances)

    monkeypatch.setattr(Index, "add", refuse_one)
    assert [type(outcome) for outcome in store(archive, *a_series(3))] == [Stored, Failed, Stored]


def test_an_unexpected_error_fails_its_part_alone(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    view = Upload.view
    seen: list[Upload] = []

    def fail_second(self: Upload) -> Any:
        seen.append(self)
        if len(seen) == 2:
            raise OSError("no space left")
        return view(self)

    monkeypatch.setattr(Upload, "view", fail_second)
    assert [type(outcome) for outcome in store(archive, *a_series(3))] == [Stored, Failed, Stored]


@pytest.mark.parametrize("attribute", ["PatientName", "PatientID"])
def test_more_values_than_the_standard_allows_are_stored_and_deleted(archive: Archive, attribute: str) -> None:
    many: dict[str, Any] = {attribute: [f"N{number}" for number in range(60)]}
    files = a_series(90, **many)
    assert all(isinstance(outcome, Stored) for outcome in store(archive, *files))
    delete_instances(archive, "1.2.3")
    assert archive.index.studies(["1.2.3"]) == {}


@pytest.mark.filterwarnings("ignore")  # of pydicom, about the length
def test_long_names_fit_into_a_key(archive: Archive) -> None:
    name = "\u5c71" * 64 + "^" + "\u7530" * 400
    (outcome,) = store(archive, a_file(SpecificCharacterSet="ISO_IR 192", PatientName=name))
    assert isinstance(outcome, Stored)


def test_what_is_stored_again_while_it_is_deleted_stays(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_file()
    store(archive, file)
    delete = Storage.delete

    def store_first(self: Storage, keys_: list[str]) -> dict[str, str]:
        monkeypatch.setattr(Storage, "delete", delete)
        assert isinstance(store(archive, file)[0], Stored)  # finds the bytes that are about to be deleted
        return delete(self, keys_)

    monkeypatch.setattr(Storage, "delete", store_first)
    delete_instances(archive, "1.2.3")
    assert archive.index.instance("1.2.3", "1.2.3.1", "1.2.3.1.1")
    assert stored_bytes() == file


def test_what_is_deleted_while_it_is_stored_again_stays(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_file()
    boto3.client("s3").put_object(
        Bucket="archive", Key=KEY, Body=file, Metadata={"sha256": hashlib.sha256(file).hexdigest()}
    )
    add = Index.add

    def delete_first(self: Index, instances: list[NewInstance]) -> dict[str, InstanceRow]:
        boto3.client("s3").delete_object(Bucket="archive", Key=KEY)
        return add(self, instances)

    monkeypatch.setattr(Index, "add", delete_first)
    assert isinstance(store(archive, file)[0], Stored)
    assert stored_bytes() == file


def test_a_new_instance_of_a_series_that_is_being_deleted_keeps_its_metadata(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = a_series(2)
    store(archive, first)
    write = store_module._Request._index

    def delete_first(self: Any, of_study: Any) -> None:
        delete_instances(archive, "1.2.3")
        write(self, of_study)

    monkeypatch.setattr(store_module._Request, "_index", delete_first)
    assert isinstance(store(archive, second)[0], Stored)
    row = archive.index.one_series("1.2.3", "1.2.3.1")
    assert row
    assert b"1.2.3.1.2" in series_metadata(archive, row, "").text("")
