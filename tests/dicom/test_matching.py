import time
from typing import Any

import pytest

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.matching import fold, matches
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
    assert matches(row, key) is expected


def test_matching_can_be_case_sensitive() -> None:
    (key,) = parse_query("study", [("PatientName", "doe*")], {}).keys
    assert not matches(name(Alphabetic="Doe^Jane"), key, case_sensitive=True)
    assert matches(name(Alphabetic="doe^jane"), key, case_sensitive=True)


def test_many_wild_cards_take_no_time() -> None:
    (key,) = parse_query("study", [("StudyDescription", "*a" * 30 + "b")], {}).keys
    started = time.perf_counter()
    assert not matches(a_row("00081030", "LO", "a" * 64), key)
    assert time.perf_counter() - started < 1


def test_folding_keeps_scripts_apart() -> None:
    assert fold("ÉCOLE Größe") == fold("ecole grösse") == "ecole grosse"
    assert fold("山田") != fold("山口")
