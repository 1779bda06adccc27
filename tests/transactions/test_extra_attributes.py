"""ExtraMainDicomTags: the same rows are found whether they are in the index, not yet, or too large for it."""

from dataclasses import replace

import boto3
import pytest
from pydicom.dataset import Dataset

from dicomweb.archive import Archive
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY, indexed_attributes
from dicomweb.errors import InvalidSettings
from dicomweb.jobs.housekeeping import housekeep
from dicomweb.settings import Settings
from tests.builders import a_series
from tests.transactions.test_search import find, uids
from tests.transactions.test_store import store

EXTRA = {"Study": ["CurrentPatientLocation"], "Series": ["00180022"], "Instance": ["KVP", "SliceThickness"]}
QUERIES = {
    "CurrentPatientLocation=Rad*": ["1.1"],
    "ScanOptions=FAST": ["1.2"],
    "KVP=120": ["1.2", "1.1"],
    "KVP=120&ScanOptions=FAST": ["1.2"],
    "SliceThickness=9": [],
}


def with_extra(archive: Archive) -> Archive:
    return replace(archive, settings=Settings.model_validate({"ExtraMainDicomTags": EXTRA}))


def two_studies(archive: Archive) -> None:
    store(archive, *a_series(2, "1.1", "1.1.1", KVP="120", CurrentPatientLocation="Radiology"))
    store(archive, *a_series(2, "1.2", "1.2.1", KVP="120", ScanOptions=["SLOW", "FAST"]))


def found(archive: Archive) -> dict[str, list[str]]:
    return {query: uids(find(archive, "study", query)) for query in QUERIES}


def test_stored_before_the_setting_then_after_then_indexed_anew(archive: Archive) -> None:
    two_studies(archive)
    extra = with_extra(archive)
    assert found(archive) == QUERIES
    assert found(extra) == QUERIES
    assert housekeep(extra, "reindex", "", 60).changed == 2
    assert found(extra) == QUERIES
    assert housekeep(extra, "reindex", "", 60).changed == 0
    assert found(archive) == QUERIES


def test_what_is_indexed_is_found_without_metadata(archive: Archive) -> None:
    extra = with_extra(archive)
    two_studies(extra)
    bucket = boto3.resource("s3").Bucket("archive")
    bucket.objects.filter(Prefix="metadata/").delete()
    assert found(extra) == QUERIES
    (row,) = find(extra, "study", "StudyInstanceUID=1.1&includefield=CurrentPatientLocation").rows
    assert row["00380300"]["Value"] == ["Radiology"]


def test_reindexing_goes_on_where_a_run_ended(archive: Archive) -> None:
    two_studies(archive)
    extra = with_extra(archive)
    run = housekeep(extra, "reindex", "", 0)
    assert (run.studies, run.changed) == (1, 1)
    assert (rest := housekeep(extra, "reindex", run.next, 60)).next == ""
    assert (rest.studies, rest.changed) == (1, 1)


def test_what_is_too_large_for_a_row_is_matched_on_the_metadata(archive: Archive) -> None:
    requests = []
    for number in range(100):
        request = Dataset()
        request.ScheduledProcedureStepID = f"S{number}"
        request.ScheduledProcedureStepDescription = "x" * 60
        requests.append(request)
    store(archive, *a_series(1, "1.3", "1.3.1", RequestAttributesSequence=requests))
    assert uids(find(archive, "study", "RequestAttributesSequence.ScheduledProcedureStepID=S77")) == ["1.3"]
    assert uids(find(archive, "series", "RequestAttributesSequence.ScheduledProcedureStepID=S77")) == ["1.3"]
    assert uids(find(archive, "series", "RequestAttributesSequence.ScheduledProcedureStepID=S100")) == []


def test_levels_are_those_that_orthanc_names() -> None:
    indexed = indexed_attributes(EXTRA | {"Patient": ["EthnicGroup"]})
    assert [indexed.level_of(tag) for tag in ("00380300", "00180022", "00180060")] == [STUDY, SERIES, INSTANCE]
    assert indexed_attributes({"Study": ["StudyComments"]}).level_of("00324000") == STUDY


@pytest.mark.parametrize("name", ["NoSuchThing", "PixelData", "00091001", "RequestAttributesSequence.CodeValue"])
def test_what_cannot_be_indexed_stops_the_start(name: str) -> None:
    with pytest.raises(InvalidSettings, match="ExtraMainDicomTags"):
        indexed_attributes({"Study": [name]})
