import gzip
import json
from dataclasses import replace

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import SeriesRow
from dicomweb.transactions.delete import delete_instances
from dicomweb.transactions.metadata import compact_series, is_compacted, series_metadata, study_metadata
from dicomweb.transactions.search_order import series_in_order
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
    rows = series_in_order(archive.index.series_of("1.2.3"))
    documents = [each for document in study_metadata(archive, rows, BASE) for each in document.data_sets(BASE)]
    assert [document["0020000E"]["Value"][0] for document in documents] == ["1.2.3.2", "1.2.3.2", "1.2.3.1"]


def test_metadata_compacted_without_an_address_get_that_of_their_first_reader(archive: Archive) -> None:
    store(archive, *a_series(2))
    compact_series(archive, the_series(archive), "")
    read = series_metadata(archive, the_series(archive), BASE)
    assert read.base == BASE
    assert b"http://here/dicom-web/studies/1.2.3/" in read.text(BASE)
    stored, about = archive.storage.read(keys.series_object("1.2.3", "1.2.3.1"))
    assert (stored, about["base"]) == (read.compressed, BASE)


def test_without_the_cache_nothing_is_written_or_believed(archive: Archive) -> None:
    store(archive, *a_series(2))
    series = the_series(archive)
    section = archive.settings.DicomWeb.model_copy(update={"EnableMetadataCache": False})
    without = replace(archive, settings=archive.settings.model_copy(update={"DicomWeb": section}))
    assert numbers(series_metadata(without, series, BASE).text(BASE)) == [1, 2]
    assert not is_compacted(archive, series)
    archive.storage.write_gzip(
        keys.series_object("1.2.3", "1.2.3.1"), gzip.compress(b"[]"), {"version": series.version, "base": BASE}
    )
    assert numbers(series_metadata(without, series, BASE).text(BASE)) == [1, 2]
