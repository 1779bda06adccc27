"""A DICOM file made of metadata in the DICOM JSON Model and bulk data beside them (PS3.18 §10.5.2). Pure."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from dicomweb.dicom.data_set import element_header
from dicomweb.dicom.elements import UNDEFINED
from dicomweb.dicom.json_encode import Bulk, FindBulk, encode_json
from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.uids import EXPLICIT_LITTLE, encoding_of, is_uid
from dicomweb.errors import InvalidDicom

_CHARACTER_SET = "00080005"
_SOP_CLASS, _SOP_INSTANCE = "00080016", "00080018"
_PIXEL_DATA = "7FE00010"
_OFFSETS = frozenset({"7FE00001", "7FE00002", "7FE00003"})  # true of other fragments
_FRAGMENT = struct.Struct("<HHI")
_MAX_FRAGMENT = 0xFFFFFFFE  # bytes


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed pixel data, frame by frame."""

    frames: list[Bulk]
    transfer_syntax: str


def assemble(document: DataSet, pixels: Encapsulated | None, find_bulk: FindBulk) -> Iterator[bytes]:
    """The file, in chunks, in Explicit VR Little Endian or in what its pixel data are compressed with.

    Raises:
        InvalidDicom: a value is none of its VR, or find_bulk says so.
    """
    sop_class, instance = text_of(document, _SOP_CLASS), text_of(document, _SOP_INSTANCE)
    for name, uid in (("SOP Class UID", sop_class), ("SOP Instance UID", instance)):
        if not is_uid(uid):
            raise InvalidDicom(f"{name} in the metadata is {uid[:80]!r}; expected a UID")
    # JSON and XML are read as Unicode: whatever the metadata say, the file is in UTF-8.
    document = document | {_CHARACTER_SET: {"vr": "CS", "Value": ["ISO_IR 192"]}}
    meta = _file_meta(sop_class, instance, pixels.transfer_syntax if pixels else EXPLICIT_LITTLE)
    if pixels is None:
        return chain([meta], encode_json(document, find_bulk))
    before = {tag: value for tag, value in document.items() if tag.upper() < _PIXEL_DATA and tag not in _OFFSETS}
    after = {tag: value for tag, value in document.items() if tag.upper() > _PIXEL_DATA}
    return chain([meta], encode_json(before, find_bulk), _pixel_data(pixels), encode_json(after, find_bulk))


def _file_meta(sop_class: str, instance: str, transfer_syntax: str) -> bytes:
    data_set = Dataset()
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    data_set.file_meta.MediaStorageSOPInstanceUID = UID(instance)
    data_set.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    file = io.BytesIO()
    pydicom.dcmwrite(file, data_set, enforce_file_format=True)
    return file.getvalue()


def _pixel_data(pixels: Encapsulated) -> Iterator[bytes]:
    """An empty offset table, and one fragment a frame (PS3.5 A.4)."""
    yield element_header(int(_PIXEL_DATA, 16), "OB", UNDEFINED, encoding_of(EXPLICIT_LITTLE))
    yield _FRAGMENT.pack(0xFFFE, 0xE000, 0)
    for frame in pixels.frames:
        if frame.length > _MAX_FRAGMENT:
            raise InvalidDicom(f"a frame of {frame.length} bytes is more than one fragment holds")
        yield _FRAGMENT.pack(0xFFFE, 0xE000, frame.length + frame.length % 2)
        yield from frame.open()
        yield b"\0" * (frame.length % 2)
    yield _FRAGMENT.pack(0xFFFE, 0xE0DD, 0)
