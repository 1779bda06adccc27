import time
from typing import Any

import pytest

from dicomweb.dicom.attribute_names import private_dictionary
from dicomweb.dicom.folding import fold
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.match_keys import Key
from dicomweb.dicom.matching import Matching, matches
from dicomweb.dicom.query import parse_query


def a_row(tag: str, vr: str, *values: Any) -> DataSet:
    return {tag: {"vr": vr, "Value": list(values)}}


def name(**groups: str) -> DataSet:
    return a_row("00100010", "PN", groups)


@pytest.mark.parametrize(
    ("row", "keyword", "wanted", "expected"),
    [
        (a_row("00100020", "LO", "P1"), "PatientID", "P1", True),  # single value, PS3.4 C.2.2.2.1
        (a_row("00100020", "LO", "P1"), "PatientID", "P", False),  # no prefix match without a wild card
        (a_row("00100020", "LO", "P1,P2"), "PatientID", "P1,P2", True),  # a comma is a character
        (a_row("00100020", "LO", "P1"), "PatientID", "P1,P2", False),
        (a_row("00100020", "LO", "a[b]c"), "PatientID", "a[b]*", True),  # brackets are characters
        (a_row("00081030", "LO", "Knee left"), "StudyDescription", "*LEFT", True),  # wild cards, PS3.4 C.2.2.2.4
        (a_row("00081030", "LO", "Knee left"), "StudyDescription", "Kn?e*", True),
        (a_row("00081030", "LO", "Knee left"), "StudyDescription", "Kn?e", False),
        (a_row("0020000D", "UI", "1.2.3"), "StudyInstanceUID", "1.2.3,1.2.4", True),  # UID list, PS3.4 C.2.2.2.2
        (a_row("0020000D", "UI", "1.2.3"), "StudyInstanceUID", "1.2.4\\1.2.3", True),
        (a_row("0020000D", "UI", "1.2.3"), "StudyInstanceUID", "1.2", False),
        (a_row("00080020", "DA", "20240131"), "StudyDate", "20240131", True),  # ranges, PS3.4 C.2.2.2.5
        (a_row("00080020", "DA", "20240131"), "StudyDate", "20240101-20240131", True),
        (a_row("00080020", "DA", "20240131"), "StudyDate", "20240201-", False),
        (a_row("00080020", "DA", "20240131"), "StudyDate", "-20240131", True),
        (a_row("00080020", "DA", "2024.01.31"), "StudyDate", "20240131", True),  # ACR-NEMA
        (a_row("00080030", "TM", "101530.500"), "StudyTime", "1015", True),
        (a_row("00080030", "TM", "101530.500"), "StudyTime", "1015-101530", True),
        (a_row("00080030", "TM", "101530.500"), "StudyTime", "101531-", False),
        (a_row("0008002A", "DT", "20240131101530"), "AcquisitionDateTime", "20240131-20240201", True),
        (a_row("0008002A", "DT", "20240131101530"), "AcquisitionDateTime", "2024013111-", False),
        (a_row("00200013", "IS", 7), "InstanceNumber", "007", True),
        (a_row("00180050", "DS", "5.000"), "SliceThickness", "5", True),
        (a_row("00080008", "CS", "DERIVED", None, "AXIAL"), "ImageType", "AXIAL", True),  # one of several values
        (a_row("00080061", "CS", "CT", "MR"), "ModalitiesInStudy", "MR", True),
        ({"00100020": {"vr": "LO"}}, "PatientID", "P1", False),
        ({}, "PatientID", "?*", False),
        (name(Alphabetic="Doe^Jane"), "PatientName", "doe^jane", True),
        (name(Alphabetic="Doe^Jane^^^"), "PatientName", "Doe^Jane", True),
        (name(Alphabetic="Doe^Jane"), "PatientName", "Doe", False),
        (name(Alphabetic="Müller^Zoë"), "PatientName", "muller*", True),
        (name(Alphabetic="Yamada^Tarou", Ideographic="山田^太郎"), "PatientName", "山田*", True),
        (name(Alphabetic="Yamada^Tarou", Ideographic="山田^太郎"), "PatientName", "山口*", False),
        (
            {"00400275": {"vr": "SQ", "Value": [{}, a_row("00400009", "SH", "S1")]}},
            "RequestAttributesSequence.ScheduledProcedureStepID",
            "S1",
            True,
        ),
    ],
)
def test_matching(row: DataSet, keyword: str, wanted: str, expected: bool) -> None:
    (key,) = parse_query("study", [(keyword, wanted)], {}).keys
    assert matches(row, [key]) is expected


def a_request(step: str, procedure: str) -> DataSet:
    return a_row("00400009", "SH", step) | a_row("00401001", "SH", procedure)


@pytest.mark.parametrize(("step", "procedure", "expected"), [("A", "X", True), ("B", "Y", True), ("A", "Y", False)])
def test_keys_of_a_sequence_match_in_one_item(step: str, procedure: str, expected: bool) -> None:  # PS3.4 C.2.2.2.6
    row = a_row("00400275", "SQ", a_request("A", "X"), a_request("B", "Y"))
    parameters = [("00400275.00400009", step), ("00400275.00401001", procedure)]
    assert matches(row, parse_query("series", parameters, {}).keys) is expected


@pytest.mark.parametrize("time", ["240000", "12:34:56 PM", "7", "093000.1234567", ""])
def test_a_date_is_found_whatever_its_time_is(time: str) -> None:
    row = a_row("00080020", "DA", "20240131") | a_row("00080030", "TM", time)
    assert matches(row, parse_query("study", [("StudyDate", "20240131")], {}).keys)


@pytest.mark.parametrize("date", ["UNKNOWN", "202401", ""])
def test_a_time_is_found_whatever_its_date_is(date: str) -> None:
    row = a_row("00080020", "DA", date) | a_row("00080030", "TM", "101500")
    assert matches(row, parse_query("study", [("StudyTime", "1000-1100")], {}).keys)


def test_less_than_a_day_is_no_date() -> None:
    assert not matches(a_row("00080020", "DA", "202401"), parse_query("study", [("StudyDate", "20240101-")], {}).keys)


def test_a_range_of_a_private_date_is_one_by_the_vr_of_the_file() -> None:
    keys = parse_query("instance", [("00091002", "20240101-20241231")], {}).keys
    assert matches(a_row("00091002", "DA", "20240505"), keys)
    assert not matches(a_row("00091002", "DA", "20230505"), keys)


def test_single_precision_equals_what_people_write() -> None:
    keys = parse_query("instance", [("RecommendedDisplayFrameRateInFloat", "29.97")], {}).keys
    assert matches(a_row("00089459", "FL", 29.969999313354492), keys)


def test_a_value_that_is_kept_apart_is_not_empty() -> None:
    keys = parse_query("instance", [("PixelData", '""'), ("emptyvaluematching", "true")], {}).keys
    assert not matches({"7FE00010": {"vr": "OW", "BulkDataURI": "x"}}, keys)


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        ("홍^길동", "홍^길?", True),  # a syllable is one character
        ("김^희중", "기*", False),  # and no other begins it
        ("Weiß^Karl", "Wei?^*", True),
        ("Weiß^Karl", "weiss^*", True),
        ("Weiß^Karl", "Wei???^*", False),
        ("がとう", "かとう", False),  # voicing makes another syllable
        ("Doe", "Doe^*", True),  # components that are not written are empty
        ("Doe^Jane", "Doe^Jane^*", True),
        ("Doe ^Jane ", "Doe^Jane", True),
        ("Doe^Jane", "Doe^J", False),
        ("´Acute^A", "´Acute*", True),
        ("№7", "№?", True),
    ],
)
def test_characters_and_components_of_names(stored: str, wanted: str, expected: bool) -> None:
    assert matches(name(Alphabetic=stored), parse_query("study", [("PatientName", wanted)], {}).keys) is expected


def test_folding_twice_changes_nothing() -> None:
    characters = [chr(code) for code in range(0x20, 0x30000) if not 0xD800 <= code < 0xE000]
    assert [char for char in characters if fold(fold(char)) != fold(char)] == []


def test_matching_can_be_case_sensitive() -> None:
    (key,) = parse_query("study", [("PatientName", "doe*")], {}).keys
    assert not matches(name(Alphabetic="Doe^Jane"), [key], Matching(case_sensitive=True))
    assert matches(name(Alphabetic="doe^jane"), [key], Matching(case_sensitive=True))


def flags(wanted: str, keyword: str = "PatientName", **parameters: str) -> tuple[Key, Matching]:
    query = parse_query("study", [(keyword, wanted), *parameters.items()], {})
    (key,) = query.keys
    return key, Matching(fuzzy=query.fuzzy, timezone=query.timezone)


@pytest.mark.parametrize(
    ("groups", "wanted", "expected"),
    [
        ({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, "Yamada*=山田*", True),  # group by group
        ({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, "Yamada*=山口*", False),
        ({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, "=山田*", True),
        ({"Alphabetic": "Yamada^Tarou"}, "=山田*", False),
        ({"Phonetic": "やまだ^たろう"}, "==やまだ*", True),
        ({"Alphabetic": "Yamada^Tarou"}, "＊Tarou", False),  # a full-width asterisk is a character
    ],
)
def test_groups_of_names(groups: dict[str, str], wanted: str, expected: bool) -> None:
    key, how = flags(wanted)
    assert matches(name(**groups), [key], how) is expected


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        ("Smith^John", "john smith", True),  # in any order
        ("Smith^John", "smi", True),  # the beginning of a word
        ("Smith^John", "Smitt", True),  # a letter
        ("Smith^John", "Smihtx", False),
        ("Smith^John", "mith", False),
        ("Müller^Zoë", "mueler", False),
        ("Müller^Zoë", "muller zoe", True),
        ("Иванов^Иван", "иванов", True),
        ("Иванов^Иван", "петров", False),  # one script is not one name
        ("山田^太郎", "山口", False),
        ("山田^太郎", "山田", True),
        ("قباني^لنزار", "قباني", True),
        ("قباني^لنزار", "محمد", False),
        ("สมหญิง^กิตติ", "สี", False),  # a vowel sign ends no word
        ("สมหญิง^กิตติ", "กิ", True),
        ("김^희중", "기", False),
        ("Smith^John", "*smith*", True),
        ("Smith^John", "^", False),
    ],
)
def test_fuzzy_matching(stored: str, wanted: str, expected: bool) -> None:
    key, how = flags(wanted, fuzzymatching="true")
    assert matches(name(Alphabetic=stored), [key], how) is expected


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [(["CT", "MR"], '""', False), ([], '""', True), (["CT"], "CT", True), ([], "CT", False)],  # PS3.4 C.2.2.2.7
)
def test_empty_value_matching(values: list[str], wanted: str, expected: bool) -> None:
    key, how = flags(wanted, "ModalitiesInStudy", emptyvaluematching="true")
    assert matches(a_row("00080061", "CS", *values), [key], how) is expected


def test_an_absent_attribute_is_empty() -> None:
    key, how = flags('""', "RequestAttributesSequence.ScheduledProcedureStepID", emptyvaluematching="true")
    assert matches({}, [key], how)


@pytest.mark.parametrize(("wanted", "expected"), [("MR\\US", True), ("CT\\US", False), ("M?\\US", True)])
def test_multiple_value_matching(wanted: str, expected: bool) -> None:  # PS3.4 C.2.2.2.8
    key, how = flags(wanted, "Modality", multiplevaluematching="true")
    assert matches(a_row("00080060", "CS", "MR"), [key], how) is expected


@pytest.mark.parametrize(
    ("date", "time", "dates", "times", "expected"),
    [
        ("20060705", "1200", "20060705-20060707", "1000-1800", True),  # the example of PS3.4 C.2.2.2.5
        ("20060706", "0100", "20060705-20060707", "1000-1800", True),  # one range of moments, not two ranges
        ("20060705", "0900", "20060705-20060707", "1000-1800", False),
        ("20060707", "1801", "20060705-20060707", "1000-1800", False),
        ("20060707", "1800", "20060705-20060707", "1000-1800", True),
        ("20060706", "0100", "20060705-", "1000-", True),
        ("20060706", "0100", "20060706", "1000-1800", False),  # a single day: two keys
        ("20060706", "0100", "20060705-20060707", "1000-", False),  # not the same form: two keys
    ],
)
def test_date_and_time_ranges_are_one_range_of_moments(
    date: str, time: str, dates: str, times: str, expected: bool
) -> None:
    row = a_row("00080020", "DA", date) | a_row("00080030", "TM", time)
    keys = parse_query("study", [("StudyDate", dates), ("StudyTime", times)], {}).keys
    assert all(matches(row, [key]) for key in keys) is expected


@pytest.mark.parametrize(
    ("timezone", "dates", "expected"),
    [
        ("+0000", "20240131", True),  # 2024-01-31 23:30 at -0500 is 2024-02-01 04:30 in UTC …
        ("+0000", "20240201", False),
    ],
)
def test_dates_are_compared_in_the_timezone_of_the_query(timezone: str, dates: str, expected: bool) -> None:
    row = a_row("00080020", "DA", "20240131") | a_row("00080030", "TM", "2330") | a_row("00080201", "SH", "-0500")
    key, how = flags(dates, "StudyDate", TimezoneOffsetFromUTC=timezone)
    assert matches(row, [key], how) is not expected
    key, how = flags(dates, "StudyDate")
    assert matches(row, [key], how) is (dates == "20240131")


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        ("20240131233000-0500", "20240201043000+0000", True),
        ("20240131233000-0500", "20240201040000+0000-20240201050000+0000", True),
        ("20240131233000-0500", "20240131233000+0000", False),
        ("20240131233000", "20240131233000+0100", True),  # the file's timezone is not known
    ],
)
def test_date_times_with_offsets_are_moments(stored: str, wanted: str, expected: bool) -> None:
    key, how = flags(wanted, "AcquisitionDateTime")
    assert matches(a_row("0008002A", "DT", stored), [key], how) is expected


def test_private_attributes_are_found_in_the_block_of_their_creator() -> None:
    row = a_row("00090011", "LO", "ACME") | a_row("00091101", "LO", "X")
    (key,) = (key for key in parse_query("study", [("00090010", "ACME"), ("00091001", "X")], {}).keys if key.creator)
    assert matches(row, [key])
    assert not matches(a_row("00090011", "LO", "OTHER") | a_row("00091101", "LO", "X"), [key])


def test_private_attributes_are_named_by_a_dictionary() -> None:
    dictionary = private_dictionary({"0009,1001": ["LO", "AcmeThing", 1, 1, "ACME"]}, "")
    (key,) = parse_query("study", [("AcmeThing", "X")], {}, dictionary).keys
    assert matches(a_row("00090012", "LO", "ACME") | a_row("00091201", "LO", "X"), [key])


def test_many_wild_cards_take_no_time() -> None:
    (key,) = parse_query("study", [("StudyDescription", "*a" * 30 + "b")], {}).keys
    started = time.perf_counter()
    assert not matches(a_row("00081030", "LO", "a" * 64), [key])
    assert time.perf_counter() - started < 1


def test_folding_keeps_scripts_apart() -> None:
    assert fold("ÉCOLE Größe") == fold("ecole grösse") == "ecole grosse"
    assert fold("山田") != fold("山口")
