"""Structured reports as text and HTML (PS3.3 C.17, C.18)."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.part10 import read_file
from dicomweb.dicom.readable_values import date_time, person_name, printable
from dicomweb.dicom.report_documents import to_html, to_text
from dicomweb.dicom.structured_report import MAX_ITEMS, MAX_LEVELS, is_structured_report, read_report
from tests.builders import PYDICOM_FILES

CT, CT_NAME = "1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"


def a_data_set(**attributes: Any) -> DataSet:
    """In the DICOM JSON Model, by keyword; a list is several values."""
    document: DataSet = {}
    for keyword, value in attributes.items():
        tag = tag_for_keyword(keyword) or 0
        vr = dictionary_VR(tag)
        values = value if isinstance(value, list) else [value]
        document[f"{tag:08X}"] = {
            "vr": vr,
            "Value": [{"Alphabetic": text} if vr == "PN" and isinstance(text, str) else text for text in values],
        }
    return document


def a_code(meaning: str, value: str = "1", scheme: str = "99X") -> DataSet:
    return a_data_set(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def an_item(value_type: str, name: str = "", relationship: str = "CONTAINS", **attributes: Any) -> DataSet:
    item = a_data_set(RelationshipType=relationship, ValueType=value_type, **attributes)
    return item | (a_data_set(ConceptNameCodeSequence=a_code(name)) if name else {})


def a_report(*content: DataSet, **attributes: Any) -> DataSet:
    return an_item("CONTAINER", "Report") | a_data_set(ContentSequence=list(content), **attributes)


def a_reference(**attributes: Any) -> DataSet:
    return a_data_set(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2.3", **attributes)


def metadata_of(name: str) -> DataSet:
    return read_file((PYDICOM_FILES / "test_files" / name).read_bytes(), "iso8859_1").metadata


def a_number(value: str, unit: str, scheme: str = "UCUM", meaning: str = "millimeter") -> DataSet:
    return a_data_set(NumericValue=value, MeasurementUnitsCodeSequence=a_code(meaning, unit, scheme))


@pytest.mark.parametrize(("item", "expected"), [
    (an_item("TEXT", "Finding", TextValue="A mass"), "Finding: A mass"),
    (an_item("TEXT", TextValue="A mass"), "A mass"),
    (an_item("TEXT", "Finding", TextValue="one\r\ntwo\rthree\x1b[2J"), "Finding: one\n    two\n    three\ufffd[2J"),
    (an_item("CODE", "Side", ConceptCodeSequence=a_code("Left", "L1")), "Side: Left (L1, 99X)"),
    (an_item("CODE", "Side", ConceptCodeSequence=a_code("", "L1")), "Side: L1, 99X"),
    (an_item("NUM", "Size", MeasuredValueSequence=a_number("3", "mm")), "Size: 3 mm"),
    (an_item("NUM", "Size", MeasuredValueSequence=a_number("3", "R-1", "SRT", "inch")), "Size: 3 inch"),
    (an_item("NUM", "Count", MeasuredValueSequence=a_number("3", "1")), "Count: 3"),
    (an_item("NUM", "Size", NumericValueQualifierCodeSequence=a_code("Failure")), "Size: (no value) (Failure)"),
    (an_item("NUM", "Size", MeasuredValueSequence=[]), "Size: (no value)"),
    (an_item("DATETIME", "At", DateTime="20240131101500.5+0100"), "At: 2024-01-31 10:15:00 +01:00"),
    (an_item("DATE", "On", Date="20240131"), "On: 2024-01-31"),
    (an_item("TIME", "At", Time="101500.25"), "At: 10:15:00"),
    (an_item("UIDREF", "UID", UID="1.2.3"), "UID: 1.2.3"),
    (an_item("PNAME", "Who", PersonName="Doe^Jane^M^Dr^MD"), "Who: Dr Jane M Doe, MD"),
    (an_item("COMPOSITE", ReferencedSOPSequence=a_reference()), f"{CT_NAME} 1.2.3"),
    (an_item("IMAGE", ReferencedSOPSequence=a_reference(ReferencedFrameNumber=[5, 2])), f"{CT_NAME} 1.2.3, frames 5, 2"),
    (an_item("IMAGE", ReferencedSOPSequence=a_reference(ReferencedSegmentNumber=[1])), f"{CT_NAME} 1.2.3, segments 1"),
    (an_item("IMAGE", ReferencedSOPSequence=a_reference(ReferencedSOPSequence=a_reference())),
     f"{CT_NAME} 1.2.3, shown with {CT_NAME} 1.2.3"),
    (an_item("WAVEFORM", ReferencedSOPSequence=a_reference(ReferencedWaveformChannels=[5, 3, 2, 0])),
     f"{CT_NAME} 1.2.3, channels 5/3, 2/0"),
    (an_item("SCOORD", GraphicType="CIRCLE", GraphicData=[0.0, 0.0, 255.0, 255.5]), "CIRCLE 0/0, 255/255.5"),
    (an_item("SCOORD", GraphicType="MULTIPOINT", GraphicData=[1.0] * 60),
     "MULTIPOINT " + ", ".join(["1/1"] * 20) + " … 10 more"),
    (an_item("SCOORD3D", GraphicType="POINT", GraphicData=[1.5, 2.0, 3.0], ReferencedFrameOfReferenceUID="1.9"),
     "POINT 1.5/2/3 in frame of reference 1.9"),
    (an_item("TCOORD", TemporalRangeType="SEGMENT", ReferencedTimeOffsets=["1.0", "2.5"]), "SEGMENT 1.0, 2.5 s"),
    (an_item("TCOORD", TemporalRangeType="POINT", ReferencedSamplePositions=[7]), "POINT samples 7"),
    (an_item("TCOORD", TemporalRangeType="POINT", ReferencedDateTime=["20240131"]), "POINT 2024-01-31"),
    (an_item("TABLE", "Dose", TabulatedValuesSequence=a_data_set(
        NumberOfTableRows=1, NumberOfTableColumns=2,
        TableColumnDefinitionSequence=a_data_set(TableColumnNumber=1, ConceptNameCodeSequence=a_code("CTDI")),
        CellValuesSequence=[
            a_data_set(TableRowNumber=1, TableColumnNumber=1, SelectorDSValue="2.5"),
            a_data_set(TableRowNumber=1, TableColumnNumber=2, SelectorCodeSequenceValue=a_code("High")),
        ])), "Dose: 1 rows, 2 columns\n    row 1, CTDI: 2.5\n    row 1, column 2: High"),
    (an_item("CONTAINER", "Section"), "Section"),
    (an_item("CONTAINER"), "Container"),
    (an_item("TEXT", "Finding", TextValue="A", ObservationDateTime="20240131"), "Finding: A (observed 2024-01-31)"),
    (an_item("HOLOGRAM", "New"), "New: (HOLOGRAM: not a value type that is known)"),
    (an_item("TEXT", "Finding"), "Finding:"),
    ({"0040A040": {"vr": "CS", "Value": ["TEXT"]}, "0040A160": {"vr": "UT", "BulkDataURI": "/x"}}, "(too long to be shown)"),
    ({"0040A040": {"vr": "CS", "Value": ["CODE"]}, "0040A168": {"vr": "LO", "Value": ["x", None]}}, ""),
])  # fmt: skip
def test_the_value_of_an_item_is_shown(item: DataSet, expected: str) -> None:
    lines = to_text(a_report(item)).split("\n")
    shown = "\n".join(lines[3:]).strip("\n")
    assert shown == expected
    assert MarkedUp.of(to_html(a_report(item))).is_well_formed


@pytest.mark.parametrize(
    ("relationship", "expected"),
    [
        ("CONTAINS", "Finding: A"),
        ("HAS OBS CONTEXT", "(observation context) Finding: A"),
        ("HAS ACQ CONTEXT", "(acquisition context) Finding: A"),
        ("HAS CONCEPT MOD", "(modifier) Finding: A"),
        ("HAS PROPERTIES", "(property) Finding: A"),
        ("INFERRED FROM", "(inferred from) Finding: A"),
        ("SELECTED FROM", "(selected from) Finding: A"),
        ("LOOKS LIKE", "(LOOKS LIKE) Finding: A"),
    ],
)
def test_the_relationship_to_the_item_above_is_named(relationship: str, expected: str) -> None:
    report = a_report(an_item("TEXT", "Finding", relationship, TextValue="A"))
    assert to_text(report).split("\n")[4] == expected


def test_an_item_by_reference_leads_to_that_item() -> None:
    by_reference = a_data_set(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=[1, 1])
    absent = a_data_set(RelationshipType="SELECTED FROM", ReferencedContentItemIdentifier=[1, 9])
    report = a_report(
        an_item("TEXT", "Finding", TextValue="A"),
        an_item("TEXT", TextValue="B", ContentSequence=[by_reference, absent]),
    )
    assert to_text(report).split("\n")[4:] == [
        "[1.1] Finding: A",
        "B",
        "  (inferred from) item 1.1",
        "  (selected from) item 1.9 (not shown)",
        "",
    ]
    shown = to_html(report)
    assert '<a href="#item-1.1">item 1.1</a>' in shown
    assert 'id="item-1.1"' in shown
    assert "#item-1.9" not in shown


# What dsrdump 3.6.7 shows of the same files: relationships, names and values, in this order.
DUMPED = {
    "reportsi.dcm": [
        "Document Title", "First Name Last Name", "other", "PARTIAL", "UNVERIFIED", "2005-05-30 16:05:27",
        "(observation context) Observation Context Mode: DIRECT (IHE.03, 99_OFFIS_DCMTK)",
        "(observation context) Recording Observer's Name: Enter text",
        "(observation context) Recording Observer's Organization Name: Enter text",
        "(observation context) Observation Context Mode: PATIENT (IHE.07, 99_OFFIS_DCMTK)",
        "\nSection Heading\n  Report Text: Enter text\n    (inferred from) Image Reference: 0 0\n  Image Reference: 0 0\n",
    ],
    "test-SR.dcm": [
        "Diagnosis", "S R Test", "COMPLETE", "This document is completed!", "VERIFIED",
        "Jörg Riesmeier, OFFIS e.V., 2001-02-13 18:47:46", "Verifying Observer, Organisation, 2001-02-13 18:47:46",
        "(observation context) Some UID: 1.2.3.4.5",
        "  Text Code: A mass of\n    (modifier) Code: Sample Code 1 (2222, 99_OFFIS_DCMTK)\n",
        "    (modifier) Code: Sample Code 2 (2222, 99_OFFIS_DCMTK)\n  Diameter: 3 cm\n",
        "Code: Sample Text\n    A\n    B\n    C\n  (inferred from) Code: Inferred Sample Text\n      New line.\n      &%$§\"!()<>{}/;\n",
        "  [1.3.2] (property) SCoord Code: CIRCLE 0/0, 255/255\n",
        "  (property) TCoord Code: SEGMENT 1.000000, 2.500000 s\n    (selected from) item 1.3.2\n",
        "Basic Text SR Storage 9.8.7.6\n  (acquisition context) Date: 2000-12-06\n",
        "  (acquisition context) Time: 12:00:00\n  (acquisition context) DateTime: 2000-12-06 12:00:00\n",
        "CT Image Storage 1.2.3.4.5.0, frames 5, 2, shown with Grayscale Softcopy Presentation State Storage 1.2.3.5.6.7",
        "      (inferred from) item 1.2.2.1\n  (modifier) Code: Sample Text 2 (observed 2001-02-13 18:47:46)\n",
        "    (property) Key Image: MR Image Storage 1.2.3.4.0.1\n",
        "    (property) Hemodynamic Waveform Storage 1.2.3.4.5, channels 5/3, 2/0\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", DUMPED)
def test_a_real_report_shows_what_another_reader_shows(name: str) -> None:
    shown = to_text(metadata_of(name))
    for part in DUMPED[name]:
        assert part in shown
    marked_up = MarkedUp.of(to_html(metadata_of(name)))
    assert marked_up.is_well_formed
    for part in DUMPED[name]:
        for word in part.replace("[1.3.2]", "").split():
            assert word.rstrip(":") in marked_up.text


def test_the_header_says_whose_report_it_is() -> None:
    report = a_report(
        PatientName={"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, PatientID="4711",
        PatientBirthDate="19700101", PatientSex="M", StudyDate="20240131", StudyTime="1015", AccessionNumber="A1",
        ReferringPhysicianName="Doe^Jane", InstitutionName="St. Elsewhere", CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED", ContentDate="20240201", ContentTime="080000",
        VerifyingObserverSequence=[
            a_data_set(VerifyingObserverName="Roe^Richard", VerifyingOrganization="X", VerificationDateTime="202402010830"),
            {},
        ],
    )  # fmt: skip
    assert read_report(report).header == [
        ("Patient", "Tarou Yamada (太郎 山田)"), ("Patient ID", "4711"), ("Birth date", "1970-01-01"), ("Sex", "male"),
        ("Study date", "2024-01-31 10:15"), ("Accession number", "A1"), ("Referring physician", "Jane Doe"),
        ("Institution", "St. Elsewhere"), ("Content date", "2024-02-01 08:00:00"), ("Completion", "COMPLETE"),
        ("Verification", "VERIFIED"), ("Verified by", "Richard Roe, X, 2024-02-01 08:30"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (a_report(), True),
        (a_data_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"), True),
        (a_data_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59"), True),  # Key Object Selection Document
        (a_data_set(SOPClassUID=CT), False),
        (a_data_set(SOPClassUID=CT, ValueType="CONTAINER"), False),
        ({}, False),
    ],
)
def test_a_structured_report_is_known(metadata: DataSet, expected: bool) -> None:
    assert is_structured_report(metadata) is expected


def test_no_value_becomes_markup() -> None:
    evil = "<script>alert('1')</script>\"&"
    everything = json.dumps(
        a_report(
            an_item("TEXT", evil, evil, TextValue=evil, ObservationDateTime=evil),
            an_item("CODE", ConceptCodeSequence=a_code(evil, evil, evil)),
            an_item("NUM", NumericValueQualifierCodeSequence=a_code(evil), MeasuredValueSequence=a_number(evil, evil)),
            an_item("PNAME", PersonName=evil),
            an_item("UIDREF", UID=evil), an_item("DATE", Date=evil), an_item("TIME", Time=evil), an_item("DATETIME", DateTime=evil),
            an_item("IMAGE", ReferencedSOPSequence=a_data_set(ReferencedSOPClassUID=evil, ReferencedSOPInstanceUID=evil, ReferencedFrameNumber=evil)),
            an_item("SCOORD", GraphicType=evil, GraphicData=[evil]),
            an_item("TCOORD", TemporalRangeType=evil, ReferencedTimeOffsets=[evil]),
            an_item("CONTAINER", evil, evil),
            an_item(evil, evil),
            a_data_set(RelationshipType=evil, ReferencedContentItemIdentifier=[evil]),
            PatientName=evil, PatientID=evil, PatientSex=evil, StudyDate=evil, InstitutionName=evil, AccessionNumber=evil,
            CompletionFlag=evil, VerificationFlag=evil, ReferringPhysicianName=evil, StudyDescription=evil,
            VerifyingObserverSequence=a_data_set(VerifyingObserverName=evil, VerifyingOrganization=evil),
        ) | a_data_set(ConceptNameCodeSequence=a_code(evil))
    )  # fmt: skip
    shown = to_html(json.loads(everything))
    marked_up = MarkedUp.of(shown)
    assert marked_up.is_well_formed
    assert "script" not in marked_up.tags
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") > 30
    assert all(not name.startswith("on") for name in marked_up.attributes)


def test_the_document_is_whole_and_loads_nothing() -> None:
    shown = to_html(metadata_of("test-SR.dcm"))
    assert shown.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n')
    assert "default-src 'none'" in shown
    assert "src=" not in shown.replace("default-src", "")
    assert "http://" not in shown


def test_a_tree_that_is_too_deep_is_cut_and_says_so() -> None:
    item = an_item("TEXT", TextValue="bottom")
    for _ in range(5_000):
        item = an_item("CONTAINER", "Section", ContentSequence=[item])
    report = a_report(item)
    shown = to_text(report)
    assert shown.count("Section") == MAX_LEVELS
    assert shown.endswith(f"1 content items below level {MAX_LEVELS}, and what they contain, are not shown.\n")
    assert MarkedUp.of(to_html(report)).is_well_formed
    assert f'<h6 aria-level="{MAX_LEVELS + 1}">' in to_html(report)


def test_a_tree_that_is_too_large_is_cut_and_says_so() -> None:
    report = a_report(*[an_item("TEXT", "Finding", TextValue="A")] * (MAX_ITEMS + 1))
    shown = to_text(report)
    assert shown.count("Finding: A") == MAX_ITEMS
    assert f"Only the first {MAX_ITEMS} content items are shown." in shown
    assert "Only the first" in to_html(report)


@pytest.mark.parametrize("metadata", [
    {}, a_data_set(ValueType="CONTAINER"), {"0040A730": {"vr": "SQ"}},
    {"0040A730": {"vr": "SQ", "Value": [None, {}, "text", 7]}}, {"0040A730": {"vr": "LO", "Value": ["text"]}},
    {"0040A043": {"vr": "SQ", "Value": [{}]}, "00100010": {"vr": "PN", "Value": [None]}},
    {"0040A730": {"vr": "SQ", "Value": [{"0040A040": {"vr": "SQ", "Value": [{}]}, "0040A300": {"vr": "DS", "Value": [1]}}]}},
])  # fmt: skip
def test_what_is_no_report_is_still_a_document(metadata: DataSet) -> None:
    assert to_text(metadata).startswith("Structured report\n====")
    assert MarkedUp.of(to_html(metadata)).is_well_formed


@pytest.mark.parametrize(("value", "expected"), [
    ({"Alphabetic": "Doe^Jane"}, "Jane Doe"), ({"Alphabetic": "Doe"}, "Doe"), ({"Ideographic": "山田"}, "山田"),
    ({"Alphabetic": "^^^^"}, ""), ({"Alphabetic": "a^b^c^d^e^f"}, "d b c a, e^f"), ({}, ""), (None, ""), ("Doe", "Doe"),
])  # fmt: skip
def test_a_name_is_readable(value: Any, expected: str) -> None:
    assert person_name(value) == expected


@pytest.mark.parametrize(("value", "expected"), [
    ("2024", "2024"), ("202401", "2024-01"), ("2024013110", "2024-01-31 10"), ("20240131+0000", "2024-01-31 +00:00"),
    ("2024.01.31", "2024.01.31"), ("", ""), ("yesterday", "yesterday"),
])  # fmt: skip
def test_a_date_and_time_is_readable(value: str, expected: str) -> None:
    assert date_time(value) == expected


def test_control_characters_are_none_of_the_text() -> None:
    assert printable("a\0b\x07\tc\n\r\nd\x85") == "a\ufffdb\ufffd\tc\n\nd\ufffd"


class MarkedUp(HTMLParser):
    """What a reader of HTML sees: every tag closed in its place."""

    _VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.is_well_formed = True
        self._open: list[str] = []

    @classmethod
    def of(cls, document: str) -> "MarkedUp":
        reader = cls()
        reader.feed(document)
        reader.close()
        reader.is_well_formed &= not reader._open
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.is_well_formed &= bool(self._open) and self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
