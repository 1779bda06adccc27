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


@pytest.mark.parametrize("value", ["", "*", "**"])
def test_universal_matching_constrains_nothing_but_asks_for_the_attribute(value: str) -> None:
    query = parse_query("study", [("StudyDescription", value)], {})
    assert (query.keys, query.include) == ((), frozenset({"00081030"}))


def test_a_value_of_question_marks_is_no_universal_matching() -> None:
    assert keys_of(("PatientID", "??")) == [(("00100020",), "LO", ("??",))]


@pytest.mark.parametrize(
    "values",
    [["00081030,00080060"], ["StudyDescription", "Modality"], ["0008,1030", "00080060"], ["StudyDescription,Modality"]],
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


def test_the_character_set_is_never_matched() -> None:
    assert keys_of(("SpecificCharacterSet", "ISO_IR 100")) == []


def test_order() -> None:
    query = parse_query("study", [("orderby", "-StudyDate,PatientName")], {})
    assert query.order == (("00080020", True), ("00100010", False))
