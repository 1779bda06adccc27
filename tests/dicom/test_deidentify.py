"""De-identification by the Basic Application Level Confidentiality Profile (PS3.15 Annex E)."""

import io
from pathlib import Path
from typing import Any

import data_store
import pydicom
import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicomweb.dicom.deidentify import METHOD, deidentify
from dicomweb.dicom.part10 import read_file
from dicomweb.errors import CannotDeidentify, InvalidDicom
from tests.builders import a_data_set, a_file, pydicom_files

FILES = pydicom_files() + sorted((Path(data_store.__file__).parent / "data").glob("*.dcm"))
# What no reader can read: no file meta, truncated, a directory with wrong offsets, an attribute twice.
BROKEN = {
    "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm", "MR_truncated.dcm", "meta_missing_tsyntax.dcm", "no_meta.dcm",
    "rtplan_truncated.dcm", "rtstruct.dcm", "OT-PAL-8-face.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm",
}  # fmt: skip
IDENTIFYING = {
    "PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "OtherPatientIDs", "InstitutionName",
    "InstitutionAddress", "ReferringPhysicianName", "OperatorsName", "StudyDate", "SeriesDate", "ContentDate",
    "AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID",
    "ReferencedSOPInstanceUID", "DeviceSerialNumber", "StudyDescription", "TextValue", "PersonName", "UID",
}  # fmt: skip


def deidentified(content: bytes, secret: bytes = b"secret") -> Dataset:
    result = b"".join(deidentify(content, secret))
    assert result[:132] == b"\0" * 128 + b"DICM"
    return pydicom.dcmread(io.BytesIO(result))


def of(secret: bytes = b"secret", **attributes: Any) -> Dataset:
    return deidentified(a_file(**attributes), secret)


def an_item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def a_code(value: str, meaning: str) -> list[Dataset]:
    return [an_item(CodeValue=value, CodingSchemeDesignator="99X", CodeMeaning=meaning)]


# Rightly kept, and in some files the same text.
NOT_IDENTIFYING = ("Manufacturer", "PositionReferenceIndicator")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", [p for p in FILES if not p.name.startswith("DICOMDIR")], ids=lambda path: path.name)
def test_nothing_that_identifies_is_left_in_a_real_file(path: Path) -> None:
    content = path.read_bytes()
    if path.name in BROKEN:
        with pytest.raises(InvalidDicom):
            b"".join(deidentify(content, b"secret"))
        return
    before, after = pydicom.dcmread(path), deidentified(content)
    if "PixelData" in before and before.file_meta.TransferSyntaxUID != ExplicitVRBigEndian:
        assert after.PixelData == before.PixelData
    if before.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        after.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    after.pop("PixelData", None)
    left = io.BytesIO()
    after.save_as(left)
    kept = " ".join(str(before.get(keyword)) for keyword in NOT_IDENTIFYING)
    for element in before.iterall():
        assert not element.tag.is_private or element.tag not in after
        for value in element.value if element.VM > 1 and element.VR != "SQ" else [element.value]:
            text = str(value)
            if element.keyword in IDENTIFYING and len(text) > 5 and text not in kept and text not in UID_dictionary:
                assert text.encode() not in left.getvalue(), element.keyword


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("AccessionNumber", "A1", ""),  # Z
        ("PatientName", "Doe^Jane", ""),  # Z
        ("PatientID", "4711", "ANONYMIZED"),  # Z/D
        ("PatientAge", "042Y", None),  # X
        ("StudyDescription", "knee of Jane", None),  # X
        ("AcquisitionDate", "20240131", ""),  # X/Z
        ("SeriesDate", "20240131", "19000101"),  # X/D
        ("SeriesTime", "101500", "000000"),  # X/D
        ("AcquisitionDateTime", "20240131101500", "19000101000000"),  # X/Z/D
        ("InstitutionName", "St. Elsewhere", "ANONYMIZED"),  # X/Z/D
        ("InstitutionName", "", ""),  # what is empty says nothing
        ("SecondaryReviewDate", "20240131", "19000101"),  # no row, but a date
        ("SecondaryReviewerName", "Doe^Jane", "ANONYMIZED"),  # no row, but a name
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2"),  # no row
        ("FrameOfReferenceUID", "1.2.840.10008.1.4.1.1", "1.2.840.10008.1.4.1.1"),  # U, but registered in PS3.6
        ("SliceThickness", "2.5", "2.5"),  # no row
    ],
)
def test_an_attribute_is_changed_as_the_table_says(keyword: str, value: str, expected: str | None) -> None:
    found = deidentified(a_file(**{keyword: value}))
    assert found.get(keyword) == expected


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_the_transfer_syntax_stays(syntax: str) -> None:
    found = deidentified(a_file(transfer_syntax=syntax))
    assert found.file_meta.TransferSyntaxUID == syntax
    assert found.PixelData == a_data_set().PixelData


def test_big_endian_becomes_little_endian() -> None:
    path = next(p for p in FILES if p.name == "MR_small_bigendian.dcm")
    found, little = deidentified(path.read_bytes()), deidentified(path.with_name("MR_small.dcm").read_bytes())
    assert found.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (found.PixelData, found.Rows) == (little.PixelData, little.Rows)


def test_fragments_stay_as_they_are() -> None:
    path = next(p for p in FILES if p.name == "MR_small_RLE.dcm")
    found = deidentified(path.read_bytes())
    assert found.file_meta.TransferSyntaxUID == RLELossless
    assert found.PixelData == pydicom.dcmread(path).PixelData


def test_instances_of_a_study_stay_together_and_references_follow() -> None:
    first = of(SOPInstanceUID="1.2.3.1.1")
    second = of(
        SOPInstanceUID="1.2.3.1.2",
        ReferencedImageSequence=[an_item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.1.1")],
        SourceImageSequence=[an_item(ReferencedSOPInstanceUID="1.2.3.1.9")],
        IrradiationEventUID=["1.2.9", "1.2.3"],
        ConcatenationUID="1.2.3.1.1",
        SOPInstanceUIDOfConcatenationSource="1.2.3.1.1",
    )  # fmt: skip
    assert first.StudyInstanceUID == second.StudyInstanceUID == second.IrradiationEventUID[1] != "1.2.3"
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    reference = second.ReferencedImageSequence[0]
    assert reference.ReferencedSOPInstanceUID == first.SOPInstanceUID == first.file_meta.MediaStorageSOPInstanceUID
    assert reference.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert second.SOPInstanceUIDOfConcatenationSource == second.ConcatenationUID == first.SOPInstanceUID
    assert first.SOPInstanceUID.is_valid
    assert first.SOPInstanceUID.startswith("2.25.")


def test_another_secret_leads_to_other_uids() -> None:
    assert of(b"one").StudyInstanceUID != of(b"two").StudyInstanceUID


def test_what_identifies_is_found_in_items_at_every_depth() -> None:
    item = an_item(PatientName="Doe^Jane", PatientID="4711", StudyDate="20240131", SliceThickness="2")
    item.add(DataElement(0x00091001, "LO", "Doe"))
    for _ in range(20):
        item = an_item(DerivationCodeSequence=[item])
    found = of(DerivationCodeSequence=[item])
    for _ in range(21):
        found = found.DerivationCodeSequence[0]
    assert (found.PatientName, found.PatientID, found.StudyDate) == ("", "ANONYMIZED", "")
    assert found.SliceThickness == 2
    assert 0x00091001 not in found


@pytest.mark.parametrize(("tag", "vr", "value"), [
    (0x00090010, "LO", "ACME"), (0x00091001, "LO", "Doe"), (0x00091002, "SQ", [an_item(PatientName="Doe")]),
    (0x50003000, "OW", b"curv"), (0x50020020, "CS", "X"), (0x60003000, "OW", b"over"), (0x60004000, "LT", "Doe"),
    (0x60020010, "US", 4),
    (0x00081301, "LO", "Doe"),  # a row that the dictionary lacks
    (0x0018FFF1, "LO", "Doe"),  # known to nobody
    (0xFFFCFFFC, "OB", b"Doe\0"),
])  # fmt: skip
def test_an_attribute_is_removed(tag: int, vr: str, value: object) -> None:
    ds = a_data_set()
    ds.add(DataElement(tag, vr, value))
    assert tag not in deidentified(a_file(ds))


def test_a_sequence_that_cannot_be_read_is_removed() -> None:
    content = a_file(DerivationDescription="Doe^Jane").replace(b"\x08\0\x11\x21ST", b"\x08\0\x15\x92LO")
    assert b"\x08\0\x15\x92" in content
    assert "DerivationCodeSequence" not in deidentified(content)


@pytest.mark.parametrize("element", [
    b"\x02\0\x16\0AE\x04\0Jane", b"\0\0\0\x10UI\x04\0Jane", b"\xfe\xff\0\xe0\x04\0\0\0Jane",
])  # fmt: skip
def test_what_has_no_place_in_a_data_set_is_removed(element: bytes) -> None:
    assert b"Jane" in a_file(PatientName=None) + element
    assert b"Jane" not in b"".join(deidentify(a_file(PatientName=None) + element, b"secret"))


def test_the_instance_says_what_was_done() -> None:
    found = of(DeidentificationMethod="by Jane Doe", BurnedInAnnotation="NO")
    assert (found.PatientIdentityRemoved, found.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert found.DeidentificationMethod == METHOD
    code = found.DeidentificationMethodCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
    assert code.CodeMeaning == "Basic Application Confidentiality Profile"


def test_file_meta_information_is_new() -> None:
    ds = a_data_set()
    content = io.BytesIO(a_file(ds))
    read = pydicom.dcmread(content)
    read.preamble = b"II*\0 Doe^Jane".ljust(128, b"\0")
    meta = read.file_meta
    for role in ("Source", "Sending", "Receiving"):
        setattr(meta, f"{role}ApplicationEntityTitle", "JANE")
    meta.PrivateInformationCreatorUID, meta.PrivateInformation = UID("1.2"), b"Jane"
    content = io.BytesIO()
    read.save_as(content)
    found = deidentified(content.getvalue()).file_meta
    assert [f"{element.tag:08X}" for element in found] == [
        "00020000", "00020001", "00020002", "00020003", "00020010", "00020012",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["YES", "YES "])
def test_pixel_data_that_identify_are_refused(value: str) -> None:
    with pytest.raises(CannotDeidentify, match="pixel data may identify"):
        deidentify(a_file(BurnedInAnnotation=value), b"secret")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a DICOM file"),
        (a_file()[:-5], "truncated"),
        ((Path(pydicom.__file__).parent / "data/test_files/dicomdirtests/DICOMDIR").read_bytes(), "DICOMDIR"),
    ],
)
def test_what_is_no_instance_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidDicom, match=message):
        deidentify(content, b"secret")


def test_content_items_keep_their_structure_but_no_value() -> None:
    unit = an_item(NumericValue="42", MeasurementUnitsCodeSequence=a_code("mm", "mm"))
    items = [
        an_item(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=a_code("1", "Finding"), TextValue="Jane Doe"),
        an_item(RelationshipType="CONTAINS", ValueType="CODE", ConceptCodeSequence=a_code("2", "Dr. Doe")),
        an_item(RelationshipType="CONTAINS", ValueType="NUM", MeasuredValueSequence=[unit]),
        an_item(RelationshipType="CONTAINS", ValueType="PNAME", PersonName="Doe^Jane"),
        an_item(RelationshipType="CONTAINS", ValueType="SCOORD", GraphicType="POINT", GraphicData=[1.5, 2.5]),
        an_item(RelationshipType="CONTAINS", ValueType="TCOORD", ReferencedTimeOffsets=["1.5", "2.5"]),
        an_item(RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[
            an_item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.1.1", ReferencedFrameNumber=7)]),
        an_item(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=[1, 2]),
    ]  # fmt: skip
    found = of(ValueType="CONTAINER", ContentSequence=[an_item(ValueType="CONTAINER", ContentSequence=items)])
    text, code, number, name, point, times, image, reference = found.ContentSequence[0].ContentSequence
    assert (text.TextValue, text.ConceptNameCodeSequence[0].CodeMeaning) == ("ANONYMIZED", "Finding")
    coded = code.ConceptCodeSequence[0]
    assert (coded.CodeValue, coded.CodingSchemeDesignator, coded.CodeMeaning) == (
        "ANONYMIZED",
        "99ANONYMIZED",
        "ANONYMIZED",
    )
    assert list(number.MeasuredValueSequence) == []
    assert name.PersonName == "ANONYMIZED"
    assert (point.GraphicData, point.GraphicType, times.ReferencedTimeOffsets) == ([0, 0], "POINT", [0, 0])
    referenced = image.ReferencedSOPSequence[0]
    assert (referenced.ReferencedSOPInstanceUID, referenced.ReferencedFrameNumber) == (found.SOPInstanceUID, 7)
    assert reference.ReferencedContentItemIdentifier == [1, 2]


def test_the_result_can_be_stored() -> None:
    instance = read_file(b"".join(deidentify(a_file(), b"secret")), "iso8859_1")
    assert instance.study.startswith("2.25.")
    assert instance.frames is not None
