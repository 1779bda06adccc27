"""A study as viewers meet it: a CT of a phantom in several transfer syntaxes, a segmentation of it, and a report."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless, RLELossless

from tests.builders import a_data_set, a_file

STUDY, OTHER_STUDY = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
SIDE, SLICES = 256, 3  # pixels, images of a series
SYNTAXES = {
    "Uncompressed": ExplicitVRLittleEndian,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
    "HTJ2K": HTJ2KLossless,
    "RLE": RLELossless,
}
_FRAME = "1.2.826.0.1.3680043.8.498.3"  # of reference
# No library of the tests writes it; this was made of `pixels()` by OpenJPH.
_HTJ2K = Path(__file__).parent / "phantom.htj2k"

PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj
4 0 obj<</Length 58>>stream
BT /F 24 Tf 40 100 Td (Report of the phantom) Tj ET       \nendstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""


def pixels() -> "np.ndarray[Any, np.dtype[np.int16]]":
    """A slice in Hounsfield units: air, a body of water, a ring of bone, and an insert that grows brighter."""
    down, across = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    radius = np.hypot(across, down)
    slice_ = np.full((SIDE, SIDE), -1000, np.int16)
    slice_[radius < 110] = 40
    slice_[(radius > 95) & (radius < 110)] = 900
    insert = np.hypot(across - 30, down + 20) < 30
    slice_[insert] = (across[insert] * 4).astype(np.int16)
    return slice_


def the_study() -> list[bytes]:
    """Files of the phantom's study."""
    files = [file for number, name in enumerate(SYNTAXES, 1) for file in _a_series(number, name)]
    return [*files, a_segmentation(), a_report()]


def another_study() -> bytes:
    """One of another patient, ten years older."""
    ds = _an_image(1, "Old", 1)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = OTHER_STUDY, f"{OTHER_STUDY}.1", f"{OTHER_STUDY}.1.1"
    ds.PatientName, ds.PatientID, ds.StudyDate = "Elder^Emma", "E1", "20140131"
    return a_file(ds)


def series_uid(number: int) -> str:
    return f"{STUDY}.{number}"


def _a_series(number: int, name: str) -> list[bytes]:
    files = []
    for index in range(1, SLICES + 1):
        ds = _an_image(number, name, index)
        if SYNTAXES[name] == HTJ2KLossless:
            ds.PixelData = encapsulate([_HTJ2K.read_bytes()])
            files.append(a_file(ds, transfer_syntax=HTJ2KLossless))
            continue
        plain = pydicom.dcmread(io.BytesIO(a_file(ds)))
        if SYNTAXES[name].is_compressed:
            plain.compress(SYNTAXES[name], generate_instance_uid=False)
        content = io.BytesIO()
        plain.save_as(content)
        files.append(content.getvalue())
    return files


def _an_image(number: int, name: str, index: int) -> Dataset:
    return a_data_set(
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=series_uid(number),
        SOPInstanceUID=f"{series_uid(number)}.{index}",
        SeriesNumber=number,
        SeriesDescription=name,
        StudyDescription="CT of a phantom",
        PatientName="Phantom^Phil",
        PatientID="PH1",
        PatientBirthDate="19700101",
        PatientSex="O",
        AccessionNumber="A1",
        StudyID="1",
        InstanceNumber=index,
        FrameOfReferenceUID=_FRAME,
        ImagePositionPatient=[-128, -128, 5 * index],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1, 1],
        SliceThickness=5,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        RescaleIntercept=0,
        RescaleSlope=1,
        RescaleType="HU",
        WindowCenter=40,
        WindowWidth=400,
        KVP=120,
        Rows=SIDE,
        Columns=SIDE,
        PixelRepresentation=1,
        PixelData=pixels().tobytes(),
    )


def a_segmentation() -> bytes:
    """Of the bone in the uncompressed series."""
    number = len(SYNTAXES) + 1
    mask = (pixels() == 900).astype(np.uint8)
    frames = np.packbits(np.stack([mask] * SLICES).reshape(-1), bitorder="little")
    ds = _an_image(number, "Bone", 1)
    for keyword in (
        "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth", "KVP", "SliceThickness",
        "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    ):  # fmt: skip
        delattr(ds, keyword)
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.66.4", "SEG"
    ds.ImageType, ds.ContentLabel, ds.ContentDescription = ["DERIVED", "PRIMARY"], "BONE", "Bone"
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber, ds.SoftwareVersions = ("None",) * 4
    ds.SegmentationType, ds.LossyImageCompression, ds.ContentCreatorName = "BINARY", "00", "None"
    ds.ContentDate, ds.ContentTime, ds.NumberOfFrames = "20240131", "101500", SLICES
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = ds.PixelRepresentation = 0
    ds.PixelData = frames.tobytes()
    ds.SegmentSequence = [_item(
        SegmentNumber=1, SegmentLabel="Bone", SegmentAlgorithmType="MANUAL",
        SegmentedPropertyCategoryCodeSequence=[_code("123037004", "SCT", "Anatomical Structure")],
        SegmentedPropertyTypeCodeSequence=[_code("272673000", "SCT", "Bone")],
        RecommendedDisplayCIELabValue=[43803, 26565, 37722],
    )]  # fmt: skip
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=f"{STUDY}.99")]
    ds.DimensionIndexSequence = [
        _item(DimensionOrganizationUID=f"{STUDY}.99", DimensionIndexPointer=pointer, FunctionalGroupPointer=group)
        for pointer, group in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
    ]
    ds.ReferencedSeriesSequence = [_item(
        SeriesInstanceUID=series_uid(1),
        ReferencedInstanceSequence=[_reference(index) for index in range(1, SLICES + 1)],
    )]  # fmt: skip
    ds.SharedFunctionalGroupsSequence = [_item(
        PixelMeasuresSequence=[_item(SliceThickness=5, SpacingBetweenSlices=5, PixelSpacing=[1, 1])],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )]  # fmt: skip
    ds.PerFrameFunctionalGroupsSequence = [_a_frame(index) for index in range(1, SLICES + 1)]
    return a_file(ds)


def _a_frame(index: int) -> Dataset:
    source = _reference(index)
    source.PurposeOfReferenceCodeSequence = [_code("121322", "DCM", "Source image for image processing operation")]
    return _item(
        DerivationImageSequence=[_item(
            DerivationCodeSequence=[_code("113076", "DCM", "Segmentation")], SourceImageSequence=[source],
        )],
        FrameContentSequence=[_item(DimensionIndexValues=[1, index])],
        PlanePositionSequence=[_item(ImagePositionPatient=[-128, -128, 5 * index])],
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)],
    )  # fmt: skip


def a_report() -> bytes:
    """An encapsulated PDF."""
    number = len(SYNTAXES) + 2
    ds = Dataset()
    for keyword in ("StudyInstanceUID", "StudyDate", "StudyTime", "PatientName", "PatientID", "StudyDescription"):
        setattr(ds, keyword, getattr(_an_image(1, "", 1), keyword))
    ds.SOPClassUID, ds.Modality = "1.2.840.10008.5.1.4.1.1.104.1", "DOC"
    ds.SeriesInstanceUID, ds.SOPInstanceUID = series_uid(number), f"{series_uid(number)}.1"
    ds.SeriesNumber, ds.InstanceNumber, ds.SeriesDescription = number, 1, "Report"
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument, ds.BurnedInAnnotation = "Report", "application/pdf", "NO"
    ds.EncapsulatedDocument, ds.EncapsulatedDocumentLength = PDF + b"\0" * (len(PDF) % 2), len(PDF)
    return a_file(ds)


def _reference(index: int) -> Dataset:
    return _item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=f"{series_uid(1)}.{index}")


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, Sequence(value) if keyword.endswith("Sequence") else value)
    return item
