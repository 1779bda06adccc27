import gzip
import json

from dicomweb.archive import Archive
from dicomweb.archive.rows import SeriesRow
from dicomweb.transactions.delete import delete_instances
from dicomweb.transactions.metadata import series_metadata, study_metadata
from tests.builders import a_series
from tests.transactions.test_store import store

BASE = "http://here/dicom-web"


def the_series(archive: Archive) -> SeriesRow:
    row = archive.index.one_series("1.2.3", "1.2.3.1")
    assert row
    return row


def numbers(text: bytes) -> list[int]:
    return [document["00200013"]["Value"][0] for document in json.loads(text)]


def test_metadata_of_several_requests_come_together_in_instance_order(archive: Archive) -> None:
    first, second, third = a_series(3)
    store(archive, third, first)
    store(archive, second)
    assert numbers(series_metadata(archive, the_series(archive), BASE).text(BASE)) == [1, 2, 3]


def test_unchanged_metadata_pass_through_as_they_are_stored(archive: Archive) -> None:
    store(archive, *a_series(2))
    made = series_metadata(archive, the_series(archive), BASE)
    read = series_metadata(archive, the_series(archive), BASE)
    assert read.compressed is not made.compressed
    assert read.gzipped(BASE) == made.compressed


def test_what_is_stored_for_one_address_is_right_at_another(archive: Archive) -> None:
    store(archive, *a_series(1))
    series_metadata(archive, the_series(archive), BASE)
    there = series_metadata(archive, the_series(archive), BASE)
    (document,) = json.loads(gzip.decompress(there.gzipped("https://there/v1")))
    assert document["7FE00010"]["BulkDataURI"].startswith("https://there/v1/studies/1.2.3/")


def test_metadata_follow_what_is_added_and_deleted(archive: Archive) -> None:
    store(archive, *a_series(2))
    series_metadata(archive, the_series(archive), BASE)
    store(archive, *a_series(3)[2:])
    assert numbers(series_metadata(archive, the_series(archive), BASE).text(BASE)) == [1, 2, 3]
    delete_instances(archive, "1.2.3", "1.2.3.1", "1.2.3.1.2")
    assert numbers(series_metadata(archive, the_series(archive), BASE).text(BASE)) == [1, 3]


def test_a_study_that_comes_back_has_its_own_metadata(archive: Archive) -> None:
    store(archive, *a_series(1))
    series_metadata(archive, the_series(archive), BASE)
    delete_instances(archive, "1.2.3")
    store(archive, *a_series(2, PatientID="P9"))
    documents = json.loads(series_metadata(archive, the_series(archive), BASE).text(BASE))
    assert [document["00100020"]["Value"] for document in documents] == [["P9"], ["P9"]]


def test_a_study_has_the_metadata_of_all_its_series(archive: Archive) -> None:
    store(archive, *a_series(2, series="1.2.3.2", SeriesNumber=1), *a_series(1, series="1.2.3.1", SeriesNumber=2))
    documents = json.loads(study_metadata(archive, "1.2.3", BASE).text(BASE))
    assert [document["0020000E"]["Value"][0] for document in documents] == ["1.2.3.2", "1.2.3.2", "1.2.3.1"]
