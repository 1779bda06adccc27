import pytest

from dicomweb.dicom.attribute_names import PrivateAttribute
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.selection import parse_selection
from dicomweb.errors import InvalidQuery

NAMED = {"Lot": PrivateAttribute("00091001", "LO", "ACME")}
DOCUMENT: DataSet = {
    "00080016": {"vr": "UI", "Value": ["1.2"]},
    "00080018": {"vr": "UI", "Value": ["1.3"]},
    "00090010": {"vr": "LO", "Value": ["OTHER"]},
    "00090011": {"vr": "LO", "Value": ["ACME"]},
    "00091001": {"vr": "LO", "Value": ["x"]},
    "00091101": {"vr": "LO", "Value": ["lot 7"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]},
    "00100020": {"vr": "LO", "Value": ["P1"]},
}
UIDS = ["00080016", "00080018"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([("includefield", "PatientID")], [*UIDS, "00100020"]),
        ([("includefield", "PatientID,00100010")], [*UIDS, "00100010", "00100020"]),
        ([("includefield", "0010,0020"), ("includefield", "PatientName")], [*UIDS, "00100010", "00100020"]),
        ([("includefield", "StudyDate")], UIDS),  # not in the file
        ([("includefield", "Lot")], [*UIDS, "00090011", "00091101"]),  # in whatever block it is
        ([("includefield", "00091001")], [*UIDS, "00090010", "00091001"]),
        ([("00090010", "ACME"), ("includefield", "00091001")], [*UIDS, "00090011", "00091101"]),
    ],
)
def test_metadata_are_reduced_to_what_is_asked_for(parameters: list[tuple[str, str]], expected: list[str]) -> None:
    selection = parse_selection(parameters, NAMED)
    assert selection
    assert list(selection.of(DOCUMENT)) == expected


@pytest.mark.parametrize(
    "parameters", [[], [("accept", "x")], [("includefield", "all")], [("includefield", "PatientID,all")]]
)
def test_everything_is_given_to_who_asks_for_nothing_less(parameters: list[tuple[str, str]]) -> None:
    assert parse_selection(parameters) is None


def test_all_unknown_names_are_said() -> None:
    with pytest.raises(InvalidQuery, match="'PatientNmae', 'Foo'"):
        parse_selection([("includefield", "PatientNmae,PatientID"), ("includefield", "Foo")])
