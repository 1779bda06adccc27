import pytest

from dicomweb.dicom.query import parse_query
from dicomweb.errors import InvalidQuery


def keys_of(*parameters: tuple[str, str]) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    return [(key.path, key.vr, key.values) for key in parse_query("study", parameters, {}).keys]


@pytest.mark.parametrize("name", ["PatientID", "00100020", "0010,0020"])
def test_an_attribute_is_named_by_keyword_or_tag(name: str) -> None:
    assert keys_of((name, "P1")) == [(("00100020",), "LO", ("P1",))]


def test_a_dotted_path_leads_into_a_sequence() -> None:
    name = "RequestAttributesSequence.ScheduledProcedureStepID"
    assert keys_of((name, "1")) == [(("00400275", "00400009"), "SH", ("1",))]


@pytest.mark.parametrize("value", ["", "*", "**", " "])
def test_universal_matching_constrains_nothing_but_asks_for_the_attribute(value: str) -> None:
    query = parse_query("study", [("StudyDescription", value)], {})
    assert (query.keys, query.include) == ((), frozenset({"00081030"}))


def test_a_value_of_question_marks_is_no_universal_matching() -> None:
    assert keys_of(("PatientID", "??")) == [(("00100020",), "LO", ("??",))]


@pytest.mark.parametrize(
    "values",
    [
        ["0008,1030,0008,0060"],
        ["0008,1030,Modality"],
        ["00081030,00080060"],
        ["StudyDescription", "Modality"],
        ["0008,1030", "00080060"],
        ["StudyDescription,Modality"],
    ],
)
def test_includefield_is_a_list_or_repeated(values: list[str]) -> None:
    query = parse_query("study", [("includefield", value) for value in values], {})
    assert query.include == frozenset({"00081030", "00080060"})


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ([("limit", "-1")], "limit must be a whole number"),
        ([("limit", "ten")], "limit must be a whole number"),
        ([("offset", "")], "offset must be a whole number"),
        ([("NoSuchKeyword", "1")], "'NoSuchKeyword' is no attribute"),
        ([("PatientID.NoSuch", "1")], "'PatientID.NoSuch' is no attribute"),
        ([("includefield", "NoSuch")], "no attribute"),
        ([("fuzzymatching", "maybe")], "true or false"),
        ([("StudyDate", "2004")], "YYYYMMDD"),
        ([("StudyDate", "20041301")], "YYYYMMDD"),
        ([("StudyDate", "-")], "YYYYMMDD"),
        ([("StudyTime", "2500")], "HHMMSS"),
        ([("StudyInstanceUID", "1.2.*")], "'1.2.\\*' is none"),
        ([("RequestAttributesSequence", "1")], "is a sequence"),
        ([("PixelData", "1")], "is binary"),
        ([("StudyDate", "20240201-20240101")], "ends before it begins"),
        ([("StudyTime", "1200-1000")], "ends before it begins"),
        ([("StudyDate", "20240230")], "no such date"),
        ([("StudyDate", "2024*")], "YYYYMMDD"),
        ([("PatientID", "a\0b")], "control characters"),
        ([("PatientID", "\ufffd")], "no UTF-8"),
        ([("StudyInstanceUID", ",".join(f"1.{n}" for n in range(10_000)))], "10000 values; expected at most 1000"),
        ([(".".join(["RequestAttributesSequence"] * 200), "1")], "200 steps; expected at most 16"),
        ([("PatientID", "1")] * 200, "200 keys; expected at most 100"),
        ([("TimezoneOffsetFromUTC", "CET")], "offset from UTC"),
        ([("emptyvaluematching", "yes")], "true or false"),
        ([("orderby", "NoSuch")], "no attribute"),
        ([("limit", "1"), ("limit", "2")], "given twice"),
        ([("limit", "٣")], "whole number"),
        ([("Rows", "abc")], "Rows='abc': expected a whole number"),
        ([("SeriesNumber", "1_0")], "expected a whole number"),
        ([("PatientWeight", "nan")], "expected a number"),
        ([("PatientAge", "45")], "045Y"),
        ([("StudyInstanceUID", ",")], "expected a UID"),
        ([("PatientID.", "1")], "no attribute"),
        ([("PatientID.PatientName", "1")], "PatientID is no sequence"),
        ([("0010002", "1")], "no attribute"),
        ([("(0010,0020)", "1")], "no attribute"),
        ([("PatientID ", "1")], "no attribute"),
        ([("Patient_ID", "1")], "no attribute"),
        ([(".PatientID", "1")], "no attribute"),
    ],
)
def test_bad_parameters_say_what_was_expected(parameters: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(InvalidQuery, match=says):
        parse_query("study", parameters, {})


def test_parameters_that_can_be_no_attribute_are_ignored_and_named() -> None:
    query = parse_query("study", [("_", "1"), ("token", "x"), ("", ""), ("limit", "5")], {})
    assert (query.ignored, query.limit) == (("_", "token"), 5)


def test_unknown_attributes_can_be_ignored_instead_and_are_named() -> None:
    query = parse_query("study", [("NoSuchKeyword", "1"), ("PatientID", "P1")], {}, ignore_unknown=True)
    assert query.ignored == ("NoSuchKeyword",)
    assert len(query.keys) == 1


def test_an_unknown_attribute_to_include_does_not_take_the_others_with_it() -> None:
    query = parse_query("study", [("includefield", "NoSuch,StudyDescription")], {}, ignore_unknown=True)
    assert (query.include, query.ignored) == (frozenset({"00081030"}), ("NoSuch",))


def test_the_character_set_is_never_matched_and_that_is_said() -> None:
    query = parse_query("study", [("SpecificCharacterSet", "ISO_IR 100")], {})
    assert (query.keys, query.ignored) == ((), ("SpecificCharacterSet",))


@pytest.mark.parametrize(("value", "low", "high"), [("2004-2005", "2004", "2005"), ("2004-0500", *["2004-0500"] * 2)])
def test_a_year_is_no_offset(value: str, low: str, high: str) -> None:
    (key,) = parse_query("instance", [("AcquisitionDateTime", value)], {}).keys
    assert (key.spans[0].low, key.spans[0].high) == (low, high)


@pytest.mark.parametrize(
    "parameters",
    [
        [("StudyDate", "20240101-20240131"), ("StudyTime", "1015")],  # a single time is no range
        [("StudyDate", "20240101-20240131"), ("StudyTime", "10-11"), ("StudyTime", "12-13")],  # all of them must match
    ],
)
def test_only_one_range_of_dates_and_one_of_times_are_put_together(parameters: list[tuple[str, str]]) -> None:
    assert [key.vr for key in parse_query("study", parameters, {}).keys] == ["DA", *["TM"] * (len(parameters) - 1)]


@pytest.mark.parametrize("value", ["CT,MR", "CT\\MR"])
def test_codes_can_be_a_list(value: str) -> None:
    assert keys_of(("ModalitiesInStudy", value)) == [(("00080061",), "CS", ("CT", "MR"))]


def test_a_creator_beside_its_attribute_is_no_key_of_its_own() -> None:
    query = parse_query("study", [("00090010", "ACME"), ("00091001", "x")], {})
    assert [(key.tag, key.creator) for key in query.keys] == [("00091001", "ACME")]
    assert query.include_private == (("00091001", "ACME"),)
    assert [key.tag for key in parse_query("study", [("00090010", "ACME")], {}).keys] == ["00090010"]


def test_order() -> None:
    query = parse_query("study", [("orderby", "-StudyDate,PatientName")], {})
    assert query.order == (("00080020", True), ("00100010", False))
