"""Data elements by their bytes: tag, VR, where the value stands (PS3.5 §7). Pure.

Nothing is copied: an element says where its value is, so that a large file is walked by touching its headers alone.
"""

import mmap
import struct
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from dicomweb.dicom.uids import Encoding
from dicomweb.errors import InvalidDicom

Bytes = bytes | mmap.mmap

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 100  # items in items; deeper is an attack, not an image
MAX_ELEMENTS = 500_000  # elements, items and fragments of one file; metadata of more would take gigabytes

PIXEL_DATA = 0x7FE00010
US_OR_SS = "US or SS"  # the VR of an implicit attribute that Pixel Representation decides (PS3.5 A.1)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

# VRs whose explicit form has a reserved field and a 32-bit length (PS3.5 §7.1.2).
LONG_VRS = frozenset(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"])
SHORT_VRS = frozenset({"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS"})
SHORT_VRS |= {"ST", "TM", "UI", "UL", "US"}
_VRS = {vr.encode(): vr for vr in LONG_VRS | SHORT_VRS}

_IMPLICIT_LITTLE = Encoding(explicit=False, little=True)
_TAGS = {True: struct.Struct("<HH"), False: struct.Struct(">HH")}
_U16 = {True: struct.Struct("<H"), False: struct.Struct(">H")}
_U32 = {True: struct.Struct("<I"), False: struct.Struct(">I")}


@dataclass(slots=True)
class Element:
    """One data element.

    Attributes:
        start, length: the value's position in the file; bytes.
        items: the data sets of a sequence, else None.
        fragments: (start, length) of each item of an encapsulated value, the offset table first (PS3.5 A.4), else None.
    """

    tag: int
    vr: str
    start: int
    length: int
    little: bool = True
    items: "list[list[Element]] | None" = None
    fragments: list[tuple[int, int]] | None = None


def read_data_set(data: Bytes, start: int, end: int, encoding: Encoding) -> list[Element]:
    """Walk the data set in data[start:end].

    Raises:
        InvalidDicom: an element runs over the end, has no VR, or there are too many or too deep; with the offset.
    """
    elements, _ = _Walk(data).data_set(start, end, encoding, 0)
    return elements


class _Walk:
    """One pass over a file; it counts what it meets, so that a small file cannot fill the memory."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._met = 0

    def data_set(
        self, start: int, end: int, encoding: Encoding, depth: int, *, delimited: bool = False
    ) -> tuple[list[Element], int]:
        """The elements in [start:end), and where they end: behind the item delimiter when they are `delimited`."""
        if depth > MAX_DEPTH:
            raise InvalidDicom(f"sequences are nested more than {MAX_DEPTH} deep at byte {start}")
        data = self._data
        elements: list[Element] = []
        creators: dict[int, str] = {}
        little = encoding.little
        # PS3.5 A.2 forbids it, yet some writers put implicit items into explicit files: the first header tells.
        explicit = _looks_explicit(data, start, end, encoding)
        inner = Encoding(explicit, little)
        read_tag, u16, u32 = _TAGS[little].unpack_from, _U16[little].unpack_from, _U32[little].unpack_from
        position = start
        while end - position >= 8:
            group, number = read_tag(data, position)
            tag = group << 16 | number
            if tag == _ITEM_END:
                if not delimited:
                    raise InvalidDicom(f"an item ends at byte {position}, but none has begun")
                return elements, position + 8
            if tag == 0 and depth == 0 and not any(data[position : min(end, position + 4096)]):
                return elements, end  # zeros after the last element: padding of the medium
            self._meet()
            if explicit and group != 0xFFFE:
                vr = _VRS.get(data[position + 4 : position + 6], "")
                if vr in SHORT_VRS:
                    length, value = u16(data, position + 6)[0], position + 8
                else:
                    if not vr:
                        vr = _unknown_vr(data, position, tag)
                    if end - position < 12:
                        raise InvalidDicom(f"{_name(tag)} at byte {position}: the file ends in its header: truncated")
                    length, value = u32(data, position + 8)[0], position + 12
            else:
                length, value = u32(data, position + 4)[0], position + 8
                vr = _implicit_vr(tag, creators)
            element = Element(tag, vr, value, length, little)
            position = self._value(end, element, inner, creators, depth)
            if group & 1 and 0x10 <= number <= 0xFF and element.length <= 64:
                creators[tag] = data[value : value + element.length].rstrip(b" \0").decode("ascii", "replace")
            elements.append(element)
        if delimited or any(data[position:end]):
            raise InvalidDicom(f"an element or item is cut off at byte {position}: truncated")
        return elements, end

    def _meet(self) -> None:
        self._met += 1
        if self._met > MAX_ELEMENTS:
            raise InvalidDicom(f"more than {MAX_ELEMENTS} data elements and items")

    def _value(self, end: int, element: Element, encoding: Encoding, creators: dict[int, str], depth: int) -> int:
        """Fill in items and fragments; return the position after the value."""
        start, length = element.start, element.length
        if length == UNDEFINED:
            if element.vr == "SQ" or (element.vr == "UN" and element.tag != PIXEL_DATA):
                # UN of undefined length holds a sequence in Implicit VR Little Endian (PS3.5 §6.2.2 note 6).
                inner = encoding if element.vr == "SQ" else _IMPLICIT_LITTLE
                element.vr = "SQ"
                element.items, after = self._items(start, end, inner, depth, delimited=True)
            else:
                element.vr = "OB"  # encapsulated values are (PS3.5 A.4)
                element.fragments, after = self._fragments(start, end, encoding.little, element.tag)
            element.length = after - start
            return after
        if start + length > end:
            raise InvalidDicom(
                f"{_name(element.tag)} at byte {start} says it has {length} bytes, "
                f"but {max(0, end - start)} are there: truncated"
            )
        if element.vr == "SQ":
            element.items, _ = self._items(start, start + length, encoding, depth)
        elif element.vr == "UN":
            self._retype_unknown(element, creators, depth)
        return start + length

    def _retype_unknown(self, element: Element, creators: dict[int, str], depth: int) -> None:
        """A known attribute written as UN keeps its meaning: PS3.5 §6.2.2 lets a receiver look the VR up."""
        vr = _implicit_vr(element.tag, creators)
        if vr == "SQ":
            try:
                element.items, _ = self._items(element.start, element.start + element.length, _IMPLICIT_LITTLE, depth)
            except InvalidDicom:
                return
            element.vr = vr
        elif vr not in LONG_VRS:
            element.vr = vr

    def _items(
        self, start: int, end: int, encoding: Encoding, depth: int, *, delimited: bool = False
    ) -> tuple[list[list[Element]], int]:
        items: list[list[Element]] = []
        position = start
        while end - position >= 8:
            tag, length = _item_header(self._data, position, encoding.little)
            position += 8
            if tag == _SEQUENCE_END:
                return items, position
            if tag != _ITEM:
                raise InvalidDicom(f"expected a sequence item at byte {position - 8}, found {_name(tag)}")
            self._meet()
            item_end = end if length == UNDEFINED else position + length
            if item_end > end:
                raise InvalidDicom(f"the item at byte {position - 8} runs {item_end - end} bytes over its sequence")
            item, position = self.data_set(position, item_end, encoding, depth + 1, delimited=length == UNDEFINED)
            items.append(item)
        if delimited:
            raise InvalidDicom(f"the sequence at byte {start} has no end: truncated")
        return items, end

    def _fragments(self, start: int, end: int, little: bool, tag: int) -> tuple[list[tuple[int, int]], int]:
        fragments: list[tuple[int, int]] = []
        position = start
        while end - position >= 8:
            item, length = _item_header(self._data, position, little)
            position += 8
            if item == _SEQUENCE_END:
                return fragments, position
            if item != _ITEM or length == UNDEFINED or position + length > end:
                raise InvalidDicom(
                    f"{_name(tag)}: fragment {len(fragments)} at byte {position - 8} is cut off or is none"
                )
            self._meet()
            fragments.append((position, length))
            position += length
        raise InvalidDicom(f"{_name(tag)} of undefined length has no end: truncated")


def _item_header(data: Bytes, position: int, little: bool) -> tuple[int, int]:
    group, number = _TAGS[little].unpack_from(data, position)
    return group << 16 | number, _U32[little].unpack_from(data, position + 4)[0]


def _looks_explicit(data: Bytes, start: int, end: int, encoding: Encoding) -> bool:
    if end - start < 8 or data[start : start + 2] in (b"\xfe\xff", b"\xff\xfe"):
        return encoding.explicit
    has_vr = data[start + 4 : start + 6] in _VRS
    if encoding.explicit:
        return has_vr or data[start + 4 : start + 6].isalpha()
    if not has_vr:
        return False
    # Two letters are also a length of at least 16,705 bytes: believe them only if that value would not fit.
    return bool(_U32[encoding.little].unpack_from(data, start + 4)[0] > end - start - 8)


def _unknown_vr(data: Bytes, position: int, tag: int) -> str:
    """A VR of a later edition has the long form and can be kept as UN (PS3.5 §6.2)."""
    if not (data[position + 4 : position + 6].isalpha() and data[position + 4 : position + 6].isupper()):
        raise InvalidDicom(f"{_name(tag)} at byte {position} has no VR where its transfer syntax asks for one")
    return "UN"


def _implicit_vr(tag: int, creators: dict[int, str]) -> str:
    group, number = tag >> 16, tag & 0xFFFF
    if number == 0:
        return "UL"  # group length (PS3.5 §7.2)
    if group & 1:
        if 0x10 <= number <= 0xFF:
            return "LO"  # private creator (PS3.5 §7.8.1)
        creator = creators.get(group << 16 | number >> 8)  # of this group and block (PS3.5 §7.8.1)
        try:
            vr: str = private_dictionary_VR(tag, creator) if creator else "UN"
        except KeyError:
            return "UN"
    else:
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            return "UN"
    if len(vr) == 2:
        return vr
    return "OW" if vr.endswith("OW") else US_OR_SS


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
