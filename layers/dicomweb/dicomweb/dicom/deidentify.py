"""De-identification of a file by the Basic Application Level Confidentiality Profile (PS3.15 Annex E). Pure.

Pixel data stay as they are. Whether they show who the patient is, only Burned In Annotation says; a face that could be
recognized (Recognizable Visual Features) is left in them, and so are overlays in unused bits, which nothing describes
any more.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

from pydicom.datadict import dictionary_VR
from pydicom.uid import MediaStorageDirectoryStorage

from dicomweb.dicom.confidentiality_profile import (
    BASIC_PROFILE,
    BASIC_PROFILE_REPEATING,
    BEYOND_BASIC_PROFILE,
    BEYOND_BASIC_PROFILE_BY_VR,
)
from dicomweb.dicom.data_set import Changes, NewValue, copy_value, element_header, encode_data_set
from dicomweb.dicom.dummy_values import coded, dummy_value, item, new_uid, padded
from dicomweb.dicom.elements import PIXEL_DATA, UNDEFINED, Bytes, Element, read_data_set
from dicomweb.dicom.frames import swap_bytes, word_vr
from dicomweb.dicom.part10 import inflate, read_meta, uid_of
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, Encoding, encoding_of, is_uid
from dicomweb.errors import CannotDeidentify, InvalidDicom

METHOD = "PS3.15 2026c Basic Application Level Confidentiality Profile"
IMPLEMENTATION_CLASS = "2.25.40995467920376839349498080445151964184"

# Where an IOD would decide, the action that is valid in every IOD.
_VALID_IN_EVERY_IOD = {"Z/D": "D", "X/Z": "Z", "X/D": "D", "X/Z/D": "D", "X/Z/U*": "K"}

_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX = 0x00020002, 0x00020003, 0x00020010
_BITS_ALLOCATED, _BURNED_IN_ANNOTATION = 0x00280100, 0x00280301
_MEASURED_VALUES = 0x0040A300
# What holds the content of a document together, where all its values are dummies (PS3.3 C.17.3, C.18, C.10.5, C.10.10).
_STRUCTURE = frozenset([
    0x00081199,  # Referenced SOP Sequence
    0x004008EA,  # Measurement Units Code Sequence
    0x0040A043,  # Concept Name Code Sequence
    0x0040A0B0,  # Referenced Waveform Channels
    0x0040A180,  # Annotation Group Number
    0x0040A301,  # Numeric Value Qualifier Code Sequence
    0x0040A504,  # Content Template Sequence
    0x0040A802, 0x0040A803, 0x0040A804, 0x0040A805,  # numbers of rows and columns of a table
    0x0040DB73,  # Referenced Content Item Identifier
    0x00700020, 0x00700021,  # Graphic Dimensions, Number of Graphic Points
])  # fmt: skip


def deidentify(source: Bytes, secret: bytes) -> Iterator[bytes]:
    """The file without what identifies the patient, in chunks and in its transfer syntax.

    Explicit VR Big Endian, which is retired, becomes Explicit VR Little Endian.

    Args:
        secret: makes UIDs: the same UID is replaced by the same one, as long as the secret is the same.
    Raises:
        InvalidDicom: no DICOM file, or broken; pixel data that are there twice are met only while chunks are read.
        CannotDeidentify: the pixel data say that they identify the patient.
    """
    meta, start = read_meta(source)
    uids = {element.tag: uid_of(source, element) for element in meta if element.vr == "UI"}
    origin = uids.get(_TRANSFER_SYNTAX, "")
    if not is_uid(origin):
        raise InvalidDicom(f"Transfer Syntax UID (0002,0010) is {origin!r}, expected a UID")
    if uids.get(_SOP_CLASS) == MediaStorageDirectoryStorage:
        raise InvalidDicom("a DICOMDIR says at which byte its records stand, which would not be true any more")
    if origin in DEFLATED:
        source = inflate(source, start)
    elements = read_data_set(source, start, len(source), encoding_of(origin))
    for element in elements:
        value = source[element.start : element.start + min(element.length, 16)]
        if element.tag == _BURNED_IN_ANNOTATION and value.strip(b" \0").upper() == b"YES":
            raise CannotDeidentify("BurnedInAnnotation (0028,0301) is YES: pixel data may identify the patient")
    target = EXPLICIT_LITTLE if origin == EXPLICIT_BIG else origin
    body = _Deidentification(source, elements, encoding_of(target), secret).encoded()
    return _file(_file_meta(uids, target, secret), _deflated(body) if origin in DEFLATED else body)


def _file(meta: bytes, body: Iterable[bytes]) -> Iterator[bytes]:
    # The preamble may be another file's header (PS3.10 §7.1): zeros.
    encoding = encoding_of(EXPLICIT_LITTLE)
    yield b"\0" * 128 + b"DICM" + element_header(0x00020000, "UL", 4, encoding) + struct.pack("<I", len(meta)) + meta
    yield from body


def _file_meta(uids: dict[int, str], transfer_syntax: str, secret: bytes) -> bytes:
    """File Meta Information anew: what is not written here, such as AE titles, says where the file has been."""
    values = {
        0x00020001: NewValue("OB", 2, [b"\0\1"]),
        _SOP_CLASS: _uid_value(uids.get(_SOP_CLASS, "")),
        _SOP_INSTANCE: _uid_value(new_uid(uids.get(_SOP_INSTANCE, ""), secret)),
        _TRANSFER_SYNTAX: _uid_value(transfer_syntax),
        0x00020012: _uid_value(IMPLEMENTATION_CLASS),
    }
    return b"".join(encode_data_set(b"", [], encoding_of(EXPLICIT_LITTLE), lambda _: values))


def _uid_value(uid: str) -> NewValue:
    return _value("UI", uid.encode())


def _value(vr: str, value: bytes) -> NewValue:
    value = padded(value, vr)
    return NewValue(vr, len(value), [value])


class _Deidentification:
    """One pass over the data sets of a file, the outer before the inner."""

    def __init__(self, source: Bytes, elements: list[Element], encoding: Encoding, secret: bytes) -> None:
        self._source = source
        self._elements = elements
        self._encoding = encoding
        self._secret = secret
        self._dummies: set[int] = set()  # ids of items, all kept by their elements, that hold dummies only
        self._bits_allocated = 0

    def encoded(self) -> Iterator[bytes]:
        return encode_data_set(self._source, self._elements, self._encoding, self._changes_of)

    def _changes_of(self, data_set: list[Element]) -> Changes:
        changes: dict[int, NewValue | None] = {}
        dummies = id(data_set) in self._dummies
        for element in data_set:
            action = self._action(element, dummies)
            if action == "D" and element.items is not None:
                self._dummies.update(map(id, element.items))
                action = "K"
            if action != "K":
                changes[element.tag] = self._changed(element, action)
            elif element.items is None and (value := self._kept(element)):
                if element.tag in changes:
                    raise InvalidDicom(f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) is there twice")
                changes[element.tag] = value
        return changes | self._statements() if data_set is self._elements else changes

    def _action(self, element: Element, dummies: bool) -> str:
        tag = element.tag
        action = BASIC_PROFILE.get(tag) or BEYOND_BASIC_PROFILE.get(tag) or _repeating_action(tag)
        vr = _dictionary_vr(tag)
        if not action:
            if dummies and tag == _MEASURED_VALUES:
                action = "Z"  # no value at all is honest; 0 mm would be a measurement (Type 2 in PS3.3 C.18.1)
            elif dummies and tag not in _STRUCTURE and element.vr not in ("CS", "UI"):
                action = "D"
            else:
                action = BEYOND_BASIC_PROFILE_BY_VR.get(vr) or BEYOND_BASIC_PROFILE_BY_VR.get(element.vr) or "K"
        action = _VALID_IN_EVERY_IOD.get(action, action)
        # What has no known meaning or cannot be looked into is not kept.
        unreadable = not vr or (vr == "SQ" and element.items is None)
        return "X" if _is_misplaced(tag) or (action in ("K", "D") and unreadable) else action

    def _changed(self, element: Element, action: str) -> NewValue | None:
        if action == "X":
            return None
        if action == "Z" or element.length == 0:
            return NewValue(element.vr[:2], 0, ())
        value = self._source[element.start : element.start + element.length]
        if action == "U" or element.vr == "UI":
            names = value.decode("ascii", "replace").split("\\")
            return _value("UI", "\\".join(new_uid(name.strip(" \0"), self._secret) for name in names).encode())
        # US or SS is both when it is zero.
        return _value(element.vr[:2], dummy_value(element.tag, element.vr[:2], value))

    def _kept(self, element: Element) -> NewValue | None:
        """The value of pixel data, which need care: items as they are, words by the width of a sample."""
        start, length = element.start, element.length
        if element.tag == _BITS_ALLOCATED and length >= 2:
            self._bits_allocated = int.from_bytes(
                self._source[start : start + 2], "little" if element.little else "big"
            )
        if element.fragments is not None:
            return NewValue(element.vr, UNDEFINED, copy_value(self._source, start, length))
        if element.tag == PIXEL_DATA and not element.little:
            words = word_vr(max(8, self._bits_allocated), element.vr)
            chunks = (swap_bytes(chunk, words) for chunk in copy_value(self._source, start, length))
            return NewValue(element.vr, length, chunks)
        return None

    def _statements(self) -> dict[int, NewValue]:
        """What a de-identified instance says of itself (PS3.15 §E.1.1, PS3.3 C.12.1.1.7)."""
        code = item(coded("113100", "DCM", "Basic Application Confidentiality Profile"), self._encoding)
        return {
            0x00120062: _value("CS", b"YES"),  # Patient Identity Removed
            0x00120063: _value("LO", METHOD.encode()),  # De-identification Method
            0x00120064: NewValue("SQ", len(code), [code]),  # De-identification Method Code Sequence
            0x00280303: _value("CS", b"REMOVED"),  # Longitudinal Temporal Information Modified
        }


def _is_misplaced(tag: int) -> bool:
    """Part of a command, of File Meta Information, or an item's delimiter: nothing of a data set (PS3.5 §7.1)."""
    return tag < 0x00040000 or tag >> 16 == 0xFFFE


def _repeating_action(tag: int) -> str:
    return next((action for (mask, rest), action in BASIC_PROFILE_REPEATING.items() if tag & mask == rest), "")


def _dictionary_vr(tag: int) -> str:
    if tag & 0xFFFF == 0:
        return "UL"  # group length (PS3.5 §7.2)
    try:
        vr: str = dictionary_VR(tag)
    except KeyError:
        return ""
    return vr


def _deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A raw deflate stream, padded to even length (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    for chunk in chunks:
        piece = deflater.compress(chunk)
        length += len(piece)
        yield piece
    piece = deflater.flush()
    yield piece + b"\0" * ((length + len(piece)) % 2)
