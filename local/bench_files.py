"""What the benchmarks store: synthetic CT, and multi-frame objects of any size that are made as they are sent."""

import io
import struct
from collections.abc import Iterable, Iterator

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)

_BOUNDARY = "bench-boundary-0123456789abcdef"
MULTIPART = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'}
_ROOT_UID = "1.2.826.0.1.3680043.10.1337"
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEMS_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)


class Ct:
    """Makes CT files: the pixels once, the UIDs into a copy of the bytes."""

    def __init__(self, side: int = 512) -> None:
        file = io.BytesIO()
        pydicom.dcmwrite(file, _ct(side), enforce_file_format=True)
        self._bytes = file.getvalue()

    def compressed(self) -> "Ct":
        """The same in JPEG 2000, lossless."""
        from dicomweb.pixels.transcode import transcode

        other = Ct(1)
        other._bytes = b"".join(transcode(self._bytes, JPEG2000Lossless))
        return other

    def make(self, study: int, series: int, instance: int, date: str = "20240101") -> bytes:
        """One file; the number of a study is also that of its patient."""
        uids = {"1": f"{study:020d}", "2": f"{study:010d}{series:010d}", "3": f"{study:010d}{instance:010d}"}
        made = self._bytes
        for mark, digits in uids.items():
            made = made.replace(f".{mark * 20}".encode(), f".{int('1' + digits[1:]):020d}".encode())
        made = made.replace(b"P00000000", f"P{study:08d}".encode()).replace(b"A00000000", f"A{study:08d}".encode())
        return made.replace(b"20240101", date.encode()).replace(b"777777", f"{instance:06d}".encode(), 1)


def dx_file(study: int) -> bytes:
    """A radiograph of 3000 x 2500 pixels of 12 bits, smooth with some noise, in a window of its own."""
    ds = _ct(16)
    ds.SOPClassUID, ds.Modality = DigitalXRayImageStorageForPresentation, "DX"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid(study), series_uid(study, 1)
    ds.SOPInstanceUID = instance_uid(study, 1)
    ds.Rows, ds.Columns = 3000, 2500
    rows, columns = np.ogrid[0:3000, 0:2500]
    smooth = 2048 + 1500 * np.sin(rows / 400) * np.cos(columns / 300)
    ds.PixelData = (smooth + np.random.default_rng(3).normal(0, 8, (3000, 2500))).astype("<u2").tobytes()
    ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept = 2048, 4096, "0"
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True)
    return file.getvalue()


def study_uid(study: int) -> str:
    return f"{_ROOT_UID}.{int('1' + f'{study:020d}'[1:]):020d}"


def series_uid(study: int, series: int) -> str:
    return f"{_ROOT_UID}.{int('1' + f'{study:010d}{series:010d}'[1:]):020d}"


def instance_uid(study: int, instance: int) -> str:
    return f"{_ROOT_UID}.{int('1' + f'{study:010d}{instance:010d}'[1:]):020d}"


def series_path(study: int) -> str:
    """The path of the first series of a study."""
    return f"studies/{study_uid(study)}/series/{series_uid(study, 1)}"


def instance_path(study: int, instance: int = 1) -> str:
    return f"{series_path(study)}/instances/{instance_uid(study, instance)}"


def body_of(files: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """The body of a store, as its files are made; each comes in chunks."""
    for file in files:
        yield f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        yield from file
        yield b"\r\n"
    yield f"--{_BOUNDARY}--\r\n".encode()


def native_file(ct: Ct, study: int, instance: int, frame_count: int) -> Iterator[bytes]:
    """A CT with more frames, all alike; less than 4 GB, as the length of a native value has 32 bits."""
    file = ct.make(study, 1, instance)
    pixels = file.rindex(b"\xe0\x7f\x10\x00OW")
    frames = b"\x28\x00\x08\x00IS\x06\x00" + f"{frame_count:06d}".encode()
    yield file[:pixels].replace(b"\x28\x00\x10\x00US", frames + b"\x28\x00\x10\x00US")
    frame = file[pixels + 12 :]
    yield file[pixels : pixels + 8] + struct.pack("<I", len(frame) * frame_count)
    for _ in range(frame_count):
        yield frame


def encapsulated_file(study: int, instance: int, frame_count: int, frame_bytes: int) -> Iterator[bytes]:
    """A multi-frame object of any size; its frames begin as JPEG 2000 does, and hold noise."""
    ds = _ct(64)
    ds.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid(study), series_uid(study, 1)
    ds.SOPInstanceUID, ds.NumberOfFrames = instance_uid(study, instance), frame_count
    del ds.PixelData
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, enforce_file_format=True)
    yield file.getvalue()
    yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, _UNDEFINED) + struct.pack("<HHI", *_ITEM, 0)
    noise = np.random.default_rng(2).bytes(frame_bytes - 8)
    for number in range(1, frame_count + 1):
        yield struct.pack("<HHI", *_ITEM, frame_bytes) + b"\xff\x4f\xff\x51" + struct.pack(">I", number) + noise
    yield struct.pack("<HHI", *_ITEMS_END, 0)


def _ct(side: int) -> Dataset:
    noise = np.random.default_rng(1).normal(1000, 100, (side, side)).astype("<u2")
    ds = Dataset()
    ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (_ROOT_UID + "." + mark * 20 for mark in "123")
    ds.PatientName, ds.PatientID, ds.AccessionNumber = "Bench^CT", "P00000000", "A00000000"
    ds.StudyDate, ds.StudyTime, ds.StudyDescription = "20240101", "101500", "Synthetic CT"
    ds.InstanceNumber, ds.SeriesNumber = "777777", 1
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 1.5], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.KVP = [0.7, 0.7], "1.25", "120"
    ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope = 40, 400, "-1024", "1"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = side, side, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = noise.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds
