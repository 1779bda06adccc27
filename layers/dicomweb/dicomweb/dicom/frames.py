"""The byte range of every frame (PS3.5 §8 and Annex A.4; PS3.3 C.7.6.3, C.7.6.16). Pure.

A native frame's place is arithmetic. An encapsulated frame is one run of items: its span reaches from the item header
of its first fragment to the end of its last, and `join_fragments` takes the headers out.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from dicomweb.dicom.elements import PIXEL_DATA, Bytes, Element
from dicomweb.dicom.json_model import DataSet, first, text_of

_FLOAT_PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009})  # Float, Double Float Pixel Data
_EXTENDED_OFFSETS = 0x7FE00001  # Extended Offset Table
_ITEM_HEADER = 8  # bytes
_SPAN = struct.Struct("<QQ")  # start, length of an encapsulated frame
SPAN_BYTES = _SPAN.size
# A JPEG, JPEG-LS or JPEG XL image starts with SOI, a JPEG 2000 one with SOC: the first fragment of a frame has it.
_CODESTREAM_STARTS = (b"\xff\xd8", b"\xff\x4f", b"\xff\x0a")


@dataclass(frozen=True, slots=True)
class NativeFrames:
    """Frames that follow one another without a gap; sizes in bits, as a frame of a bitmap may end within a byte."""

    vr: str
    start: int
    frame_bits: int
    count: int

    def span(self, number: int) -> tuple[int, int, int]:
        """(start, length, bits to skip) of frame `number`, counted from 1; bytes, bytes, bits."""
        first_bit = (number - 1) * self.frame_bits
        last_bit = first_bit + self.frame_bits
        return self.start + first_bit // 8, (last_bit + 7) // 8 - first_bit // 8, first_bit % 8


@dataclass(frozen=True, slots=True)
class EncapsulatedFrames:
    """One packed span for each frame: the table is read at `(number - 1) * SPAN_BYTES`."""

    table: bytes
    count: int


Frames = NativeFrames | EncapsulatedFrames


def find_frames(data: Bytes, elements: list[Element], document: DataSet) -> Frames | None:
    """The frames of an instance; None when it has no pixel data, or no table leads to its frames (video, say)."""
    by_tag = {element.tag: element for element in elements}
    pixels = next((by_tag[tag] for tag in (PIXEL_DATA, *_FLOAT_PIXEL_DATA) if tag in by_tag), None)
    count = 1 if (declared := _integer(document, "00280008")) is None else declared
    if pixels is None or pixels.length == 0 or count < 1:
        return None
    if pixels.fragments is None:
        return _native(pixels, document, count)
    spans = _encapsulated(data, pixels.fragments, by_tag.get(_EXTENDED_OFFSETS), count)
    if spans is None:
        return None
    return EncapsulatedFrames(b"".join(_SPAN.pack(start, length) for start, length in spans), count)


def native_frame_bits(rows: int, columns: int, samples: int, bits_allocated: int, photometric: str) -> int:
    """What a native frame takes (PS3.3 C.7.6.3.1)."""
    pixel_bits = samples * bits_allocated
    if photometric in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        pixel_bits = pixel_bits * 2 // 3  # two pixels share their chroma samples (PS3.3 C.7.6.3.1.2)
    return rows * columns * pixel_bits


def shortfall(frame_bits: int, count: int, length: int) -> str:
    """Which native frame is the first that `length` bytes do not hold; "" when they hold all."""
    if frame_bits * count <= length * 8:
        return ""
    expected = (frame_bits * count + 7) // 8
    return (
        f"frame {length * 8 // frame_bits + 1} of {count} is beyond the pixel data, "
        f"which have {length} bytes; expected {expected}"
    )


def unpack_span(record: bytes) -> tuple[int, int]:
    """(start, length) of an encapsulated frame from its record in the table; bytes."""
    start, length = _SPAN.unpack(record)
    return start, length


def join_fragments(span: bytes) -> bytes:
    """A frame's bitstream: its fragments without item headers (PS3.5 A.4)."""
    return b"".join(_fragments_in(span))


def shift_bits(frame: bytes, skip: int, frame_bits: int) -> bytes:
    """A frame of a bitmap moved to a byte boundary: bit 0 of byte 0 is its first pixel (PS3.5 §8.1.1)."""
    if skip == 0 and frame_bits % 8 == 0:
        return frame
    value = int.from_bytes(frame, "little") >> skip & ((1 << frame_bits) - 1)
    return value.to_bytes((frame_bits + 7) // 8, "little")


def word_vr(bits_allocated: int, vr: str) -> str:
    """The VR whose words native pixels are in: a sample is one, and so are two bytes in OW (PS3.5 §7.3, §8.2)."""
    return {16: "OW", 32: "OL", 64: "OV"}.get(bits_allocated, "OW" if vr == "OW" else "OB")


def word_span(start: int, length: int, first: int) -> tuple[int, int]:
    """(start, length) of the 16-bit words in which bytes stand; an odd frame of bytes may begin within one.

    Args:
        first: where the first word starts.
    """
    before = (start - first) % 2
    return start - before, length + before + (length + before) % 2


def swap_bytes(value: bytes, vr: str) -> bytes:
    """Big endian values to little endian, by the width of their VR (PS3.5 §7.3)."""
    width = _WIDTHS.get(vr, 1)
    if width == 1:
        return value
    whole = len(value) - len(value) % width
    swapped = bytearray(value)
    for offset in range(width):
        swapped[offset:whole:width] = value[width - 1 - offset : whole : width]
    return bytes(swapped)


_WIDTHS = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),  # a tag is two numbers
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


def _native(pixels: Element, document: DataSet, count: int) -> NativeFrames | None:
    rows, columns, bits = (_integer(document, tag) or 0 for tag in ("00280010", "00280011", "00280100"))
    samples = _integer(document, "00280002") or 1
    frame_bits = native_frame_bits(rows, columns, samples, bits, text_of(document, "00280004"))
    if frame_bits <= 0 or frame_bits * count > pixels.length * 8:
        return None
    return NativeFrames(pixels.vr, pixels.start, frame_bits, count)


def _encapsulated(
    data: Bytes, items: list[tuple[int, int]], extended: Element | None, count: int
) -> list[tuple[int, int]] | None:
    if len(items) < 2:
        return None
    (table_start, table_length), fragments = items[0], items[1:]
    if count == 1:
        return _spans(fragments, [0])
    # Where codestreams start is known, unless the first one is of a kind that does not say so (RLE).
    starts = [i for i, (start, _) in enumerate(fragments) if data[start : start + 2] in _CODESTREAM_STARTS]
    possible = frozenset(starts if starts[:1] == [0] else range(len(fragments)))
    if len(fragments) == count and len(possible) == count:
        return _spans(fragments, list(range(count)))
    # Offsets count from the item header of the first fragment (PS3.5 A.4).
    base = fragments[0][0]
    index_of = {start - base: index for index, (start, _) in enumerate(fragments)}
    tables = [_unpack_offsets(data, extended.start, extended.length, "Q")] if extended else []
    tables.append(_unpack_offsets(data, table_start, table_length, "I"))
    candidates = [[index_of.get(offset, -1) for offset in offsets] for offsets in tables]
    # Without a table, or with a wrong one, a frame starts where a codestream starts.
    candidates.append(starts)
    for firsts in candidates:
        if len(firsts) == count and firsts[0] == 0 and possible.issuperset(firsts) and _ascend(firsts):
            return _spans(fragments, firsts)
    return None


def _ascend(numbers: list[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


def _unpack_offsets(data: Bytes, start: int, length: int, letter: str) -> tuple[int, ...]:
    count = length // struct.calcsize("<" + letter)
    return struct.unpack_from(f"<{count}{letter}", data, start)


def _spans(fragments: list[tuple[int, int]], firsts: list[int]) -> list[tuple[int, int]]:
    spans = []
    for first_fragment, after in zip(firsts, [*firsts[1:], len(fragments)], strict=True):
        start = fragments[first_fragment][0] - _ITEM_HEADER
        last_start, last_length = fragments[after - 1]
        spans.append((start, last_start + last_length - start))
    return spans


def _fragments_in(span: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(span):
        length = int.from_bytes(span[position + 4 : position + 8], "little")
        yield span[position + _ITEM_HEADER : position + _ITEM_HEADER + length]
        position += _ITEM_HEADER + length


def _integer(document: DataSet, tag: str) -> int | None:
    value = first(document, tag)
    return value if isinstance(value, int) else None
