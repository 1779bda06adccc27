"""Data elements written in another encoding (PS3.5 §7), their values as they were read. Pure."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from dicomweb.dicom.elements import LONG_VRS, UNDEFINED, US_OR_SS, Bytes, Element
from dicomweb.dicom.frames import swap_bytes
from dicomweb.dicom.uids import Encoding
from dicomweb.errors import InvalidDicom

_PIXEL_REPRESENTATION = 0x00280103
_LONGEST_SHORT = 0xFFFF  # bytes; what the 16-bit length of most VRs can say
_CHUNK = 1024 * 1024  # bytes copied at once; whole values of every width
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


@dataclass(frozen=True, slots=True)
class NewValue:
    """What an element holds in place of what was read.

    Attributes:
        length: bytes of all chunks, UNDEFINED for items with their own end.
    """

    vr: str
    length: int
    chunks: Iterable[bytes]


Changes = Mapping[int, NewValue | None]
"""Elements that are added or given another value, or with None taken out, in any order."""


def encode_data_set(
    data: Bytes, elements: list[Element], encoding: Encoding, changes_of: Callable[[list[Element]], Changes]
) -> Iterator[bytes]:
    """The data set in a little endian encoding, piece by piece.

    Group lengths are left out: they would be wrong, and are retired (PS3.5 §7.2). Sequences get undefined lengths.

    Args:
        changes_of: asked of the data set and of every item in it, when it is its turn.
    Raises:
        InvalidDicom: an encapsulated value that has no change.
    """
    return _data_set(data, elements, encoding, changes_of, False)


def element_header(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    """What stands before a value: little endian (PS3.5 §7.1.2, §7.1.3)."""
    place = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if not encoding.explicit:
        return place + struct.pack("<I", length)
    if vr not in LONG_VRS and length > _LONGEST_SHORT:
        vr = "UN"  # PS3.5 §6.2.2
    if vr in LONG_VRS:
        return place + vr.encode() + struct.pack("<HI", 0, length)
    return place + vr.encode() + struct.pack("<H", length)


def copy_value(data: Bytes, start: int, length: int) -> Iterator[bytes]:
    """A value in pieces that need little memory; whole numbers are never cut."""
    for position in range(start, start + length, _CHUNK):
        yield data[position : min(position + _CHUNK, start + length)]


def _data_set(
    data: Bytes,
    elements: list[Element],
    encoding: Encoding,
    changes_of: Callable[[list[Element]], Changes],
    signed: bool,
) -> Iterator[bytes]:
    # It may stand behind items whose attributes it decides, and those without it follow the data set around them.
    for element in elements:
        if element.tag == _PIXEL_REPRESENTATION:
            signed = data[element.start : element.start + 2] in (b"\1\0", b"\0\1")
    for tag, new in _with_changes(elements, changes_of(elements)):
        if isinstance(new, NewValue):
            yield element_header(tag, new.vr, new.length, encoding)
            yield from new.chunks
        elif new.items:
            yield element_header(tag, "SQ", UNDEFINED, encoding)
            for item in new.items:
                yield ITEM
                yield from _data_set(data, item, encoding, changes_of, signed)
                yield ITEM_END
            yield SEQUENCE_END
        elif tag & 0xFFFF != 0:
            yield from _element(data, new, encoding, signed)


def _with_changes(elements: list[Element], changes: Changes) -> Iterator[tuple[int, Element | NewValue]]:
    # Elements stand in the order of their tags (PS3.5 §7.1); where they do not, they stay as they were.
    added = sorted(set(changes) - {element.tag for element in elements})
    for element in elements:
        while added and added[0] < element.tag:
            yield from _changed(added.pop(0), changes)
        if element.tag in changes:
            yield from _changed(element.tag, changes)
        else:
            yield element.tag, element
    for tag in added:
        yield from _changed(tag, changes)


def _changed(tag: int, changes: Changes) -> Iterator[tuple[int, NewValue]]:
    value = changes[tag]
    if value is not None:
        yield tag, value


def _element(data: Bytes, element: Element, encoding: Encoding, signed: bool) -> Iterator[bytes]:
    if element.fragments is not None:
        raise InvalidDicom(f"({element.tag >> 16:04X},{element.tag & 0xFFFF:04X}) is encapsulated")
    if element.items is not None:  # none: an undefined length had a delimiter for its value
        yield element_header(element.tag, "SQ", 0, encoding)
        return
    vr = element.vr if element.vr != US_OR_SS else ("SS" if signed else "US")
    yield element_header(element.tag, vr, element.length, encoding)
    for chunk in copy_value(data, element.start, element.length):
        yield chunk if element.little else swap_bytes(chunk, vr)
