from typing import Any
from urllib.parse import parse_qsl

import pytest
from moto import mock_aws
from pydicom.dataelem import DataElement
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian, MRImageStorage

from dicomweb.archive import Archive
from dicomweb.dicom.attribute_names import private_dictionary
from dicomweb.dicom.query import parse_query
from dicomweb.transactions.delete import delete_instances
from dicomweb.transactions.search import Page, search
from tests.builders import a_data_set, a_file, a_series, an_archive
from tests.transactions.test_store import store

STUDIES: dict[str, dict[str, Any]] = {
    "1.1": {"PatientID": "P1", "PatientName": "Doe^Jane", "StudyDate": "20240101", "StudyTime": "1000"},
    "1.2": {"PatientID": "P1", "PatientName": "Doe^Jane", "StudyDate": "20240301", "StudyTime": "0900"},
    "1.3": {"PatientID": "P2", "PatientName": "Roe^Richard", "StudyDate": "20240301", "StudyTime": "1700"},
    "1.4": {"PatientID": "P3", "PatientName": "Müller^Zoë", "StudyDate": "", "StudyTime": ""},
    "1.5": {"PatientID": "p2", "PatientName": "Doering^Max", "StudyDate": "20231231", "AccessionNumber": "A-5"},
}


@pytest.fixture
def filled(archive: Archive) -> Archive:
    for study, attributes in STUDIES.items():
        for series, modality in ((f"{study}.1", "CT"), (f"{study}.2", "MR" if study == "1.3" else "CT")):
            for number in (1, 2):
                file = a_file(
                    StudyInstanceUID=study,
                    SeriesInstanceUID=series,
                    SOPInstanceUID=f"{series}.{number}",
                    SeriesNumber=int(series[-1]),
                    InstanceNumber=3 - number,
                    Modality=modality,
                    SpecificCharacterSet="ISO_IR 192",
                    KVP=str(number * 60),
                    **attributes,
                )
                store(archive, file)
    return archive


def find(archive: Archive, level: str, query: str, **path: str) -> Page:
    tags = {"study": "0020000D", "series": "0020000E"}
    return search(
        archive, parse_query(level, parse_qsl(query, True), {tags[k]: v for k, v in path.items()}), "http://x"
    )


def uids(page: Page, tag: str = "0020000D") -> list[str]:
    return [row[tag]["Value"][0] for row in page.rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["1.3", "1.2", "1.1", "1.5", "1.4"]),  # newest first, without a date last
        ("StudyInstanceUID=1.1,1.3,9.9", ["1.3", "1.1"]),
        ("StudyDate=20240301", ["1.3", "1.2"]),
        ("StudyDate=20240101-20240301", ["1.3", "1.2", "1.1"]),
        ("StudyDate=-20240101", ["1.1", "1.5"]),
        ("StudyDate=20240301&StudyTime=1200-", ["1.3"]),
        ("PatientID=P1", ["1.2", "1.1"]),
        ("PatientID=P2", ["1.3", "1.5"]),  # without regard to case
        ("PatientID=P*", ["1.3", "1.2", "1.1", "1.5", "1.4"]),
        ("AccessionNumber=A-5", ["1.5"]),
        ("PatientName=Doe^Jane", ["1.2", "1.1"]),
        ("PatientName=doe*", ["1.2", "1.1", "1.5"]),
        ("PatientName=*ne", ["1.2", "1.1"]),
        ("PatientName=muller*", ["1.4"]),
        ("PatientName=Doe", []),
        ("PatientID=P1&StudyDate=20240101", ["1.1"]),
        ("ModalitiesInStudy=MR", ["1.3"]),
        ("Modality=MR", ["1.3"]),  # by an attribute of a series
        ("Rows=4&PatientID=P1", ["1.2", "1.1"]),  # of an instance
        ("KVP=60&PatientID=P1", ["1.2", "1.1"]),  # in the metadata alone
        ("KVP=61", []),
        ("NumberOfStudyRelatedInstances=4&PatientID=P3", ["1.4"]),
        ("SeriesInstanceUID=1.3.2", ["1.3"]),
        ("SOPInstanceUID=1.3.2.1,1.1.1.1", ["1.3", "1.1"]),
    ],
)
def test_studies(filled: Archive, query: str, expected: list[str]) -> None:
    assert uids(find(filled, "study", query)) == expected


def test_series_of_a_study_come_in_number_order(filled: Archive) -> None:
    assert uids(find(filled, "series", "", study="1.3"), "0020000E") == ["1.3.1", "1.3.2"]
    assert uids(find(filled, "series", "Modality=MR"), "0020000E") == ["1.3.2"]


def test_instances_come_in_number_order(filled: Archive) -> None:
    page = find(filled, "instance", "", study="1.3", series="1.3.1")
    assert uids(page, "00080018") == ["1.3.1.2", "1.3.1.1"]
    assert uids(find(filled, "instance", "KVP=120", study="1.3"), "00080018") == ["1.3.1.2", "1.3.2.2"]


def test_pages_neither_repeat_nor_skip(filled: Archive) -> None:
    pages = [find(filled, "study", f"limit=2&offset={offset}") for offset in (0, 2, 4)]
    assert [uid for page in pages for uid in uids(page)] == ["1.3", "1.2", "1.1", "1.5", "1.4"]
    assert [page.remaining for page in pages] == [1, 1, 0]


def test_a_row_has_the_standards_attributes_and_counts(filled: Archive) -> None:
    (row,) = find(filled, "study", "StudyInstanceUID=1.3").rows
    assert row["00201206"]["Value"] == [2]
    assert row["00201208"]["Value"] == [4]
    assert row["00080061"]["Value"] == ["CT", "MR"]
    assert row["00081190"]["Value"] == ["http://x/studies/1.3"]
    assert row["00100010"]["Value"] == [{"Alphabetic": "Roe^Richard"}]


def test_includefield_adds_attributes_from_the_index_and_from_metadata(filled: Archive) -> None:
    (row, *_) = find(filled, "instance", "includefield=KVP&includefield=00080008", study="1.3").rows
    assert row["00180060"]["Value"] == ["120"]
    everything = find(filled, "instance", "includefield=all", study="1.3").rows[0]
    assert {"00280100", "00080060", "00180060", "00100020"} <= set(everything)


def test_rows_below_a_study_have_its_computed_attributes(filled: Archive) -> None:  # PS3.18 §10.6.3.3.2
    (row, *_) = find(filled, "series", "PatientID=P2&StudyDate=20240301").rows
    assert (row["00201206"]["Value"], row["00080061"]["Value"], row["00201209"]["Value"]) == ([2], ["CT", "MR"], [2])


@pytest.mark.parametrize("creator", ["ACME", "OTHER"])
def test_private_attributes_come_with_their_creator_from_whatever_block_they_are_in(
    archive: Archive, creator: str
) -> None:
    for number, creators in enumerate((["ACME"], ["OTHER", "ACME"]), 1):
        ds = a_data_set(SOPInstanceUID=f"1.2.3.1.{number}")
        for each in creators:
            ds.private_block(0x0009, each, create=True).add_new(0x01, "LO", f"of {each}")
        store(archive, a_file(ds))
    rows = find(archive, "instance", f"00090010={creator}&00091001=of {creator}").rows
    values = [[each["Value"][0] for tag, each in row.items() if tag[:4] == "0009"] for row in rows]
    assert values == [[creator, f"of {creator}"]] * (2 if creator == "ACME" else 1)


def test_a_private_dictionary_says_what_implicit_files_do_not() -> None:
    with mock_aws():
        dictionary: dict[str, list[str | int]] = {"0011,1003": ["LO", "ImplicitText", 1, 1, "A CREATOR"]}
        archive = an_archive(Dictionary=dictionary)
        ds = a_data_set()
        ds.private_block(0x0011, "A CREATOR", create=True).add_new(0x03, "LO", "hello")
        store(archive, a_file(ds, transfer_syntax=ImplicitVRLittleEndian))
        query = parse_query("study", [("ImplicitText", "hel*")], {}, private_dictionary(dictionary, ""))
        assert uids(search(archive, query, "")) == ["1.2.3"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [("PatientWeight", ["1.2", "1.3", "1.1"]), ("-StudyDescription", ["1.3", "1.2", "1.1"])],
)
def test_an_order_is_by_number_and_by_attributes_that_were_not_asked_for(
    archive: Archive, order: str, expected: list[str]
) -> None:
    for study, weight, text in (("1.1", "100", "Alpha"), ("1.2", "9.5", "Mid"), ("1.3", "70", "Zeta")):
        store(archive, *a_series(1, study, f"{study}.1", PatientWeight=weight, StudyDescription=text))
    assert uids(find(archive, "study", f"orderby={order}")) == expected


def test_text_of_another_vr_is_found_and_is_given_in_its_own(archive: Archive) -> None:
    ds = a_data_set()
    ds["StudyDescription"] = DataElement("StudyDescription", "SH", "Knee")
    store(archive, a_file(ds))
    (row,) = find(archive, "study", "StudyDescription=knee").rows
    assert row["00081030"] == {"vr": "LO", "Value": ["Knee"]}


def test_sop_classes_are_those_that_are_left(archive: Archive) -> None:
    for number, sop_class in enumerate((CTImageStorage, MRImageStorage), 1):
        store(archive, a_file(SOPInstanceUID=f"1.2.3.1.{number}", SOPClassUID=sop_class))
    delete_instances(archive, "1.2.3", "1.2.3.1", "1.2.3.1.2")
    assert find(archive, "study", "").rows[0]["00080062"]["Value"] == [CTImageStorage]
    assert find(archive, "study", f"SOPClassesInStudy={MRImageStorage}").rows == []


def test_a_day_is_found_from_the_other_side_of_the_earth(archive: Archive) -> None:
    store(archive, a_file(StudyDate="20240102", StudyTime="010000", TimezoneOffsetFromUTC="+1400"))
    assert uids(find(archive, "study", "StudyDate=20231231&TimezoneOffsetFromUTC=-1200")) == ["1.2.3"]
    assert uids(find(archive, "study", "StudyDate=00010101&TimezoneOffsetFromUTC=-1200")) == []


def test_the_server_has_a_limit_of_its_own() -> None:
    with mock_aws():
        archive = an_archive(LimitFindResults=1)
        store(archive, a_file(), a_file(StudyInstanceUID="1.2.4", SOPInstanceUID="1.2.4.1"))
        page = find(archive, "study", "limit=5")
    assert (len(page.rows), page.remaining) == (1, 1)


def test_deleted_studies_are_found_no_more(filled: Archive) -> None:
    delete_instances(filled, "1.3")
    delete_instances(filled, "1.2", "1.2.1")
    assert uids(find(filled, "study", "")) == ["1.2", "1.1", "1.5", "1.4"]
    assert find(filled, "study", "StudyInstanceUID=1.2").rows[0]["00201206"]["Value"] == [1]


def test_the_result_does_not_depend_on_the_path(filled: Archive) -> None:
    """Each of these is answered by another path of the index; a wild card forces the walk over all months."""
    pairs: list[tuple[str, str]] = [
        ("PatientID=P2", "PatientID=?2"),
        ("PatientName=Doe*", "PatientName=*Doe*"),
        ("AccessionNumber=A-5", "AccessionNumber=*-5"),
    ]
    results: list[tuple[Any, Any]] = [
        (find(filled, "study", direct).rows, find(filled, "study", walk).rows) for direct, walk in pairs
    ]
    assert all(direct == walk for direct, walk in results)
