"""A whole DICOM file from one transfer syntax to another, frame by frame (PS3.5 Annex A)."""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from dicomweb.dicom.data_set import Changes, NewValue, copy_value, element_header, encode_data_set
from dicomweb.dicom.elements import PIXEL_DATA, UNDEFINED, Bytes, Element, read_data_set
from dicomweb.dicom.frames import (
    SPAN_BYTES,
    Frames,
    NativeFrames,
    find_frames,
    join_fragments,
    shortfall,
    swap_bytes,
    unpack_span,
    word_span,
    word_vr,
)
from dicomweb.dicom.json_model import Conversion, DataSet, text_of, to_json
from dicomweb.dicom.part10 import inflate, read_meta, uid_of
from dicomweb.dicom.uids import (
    DEFLATED,
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    NATIVE,
    encoding_of,
)
from dicomweb.errors import CannotTranscode, InvalidDicom
from dicomweb.pixels.capabilities import CONTAINERS, can_transcode
from dicomweb.pixels.decode import decode_frame
from dicomweb.pixels.encode import encode_frame
from dicomweb.pixels.image import ImagePixel, read_image_pixel

_TRANSFER_SYNTAX = 0x00020010
_PHOTOMETRIC_INTERPRETATION, _PLANAR_CONFIGURATION = 0x00280004, 0x00280006
_BITS_ALLOCATED = "00280100"
# Extended Offset Table, its lengths, and Encapsulated Pixel Data Value Total Length: true of the old fragments only.
_OFFSETS = (0x7FE00001, 0x7FE00002, 0x7FE00003)
_FRAGMENT = struct.Struct("<HHI")
_EMPTY_OFFSET_TABLE = _FRAGMENT.pack(0xFFFE, 0xE000, 0)
_FRAGMENTS_END = _FRAGMENT.pack(0xFFFE, 0xE0DD, 0)
_MAX_FRAGMENT = 0xFFFFFFFE  # bytes


def transcode(source: Bytes, transfer_syntax: str) -> Iterator[bytes]:
    """A DICOM file anew in another transfer syntax, without further loss, in chunks.

    Memory is that of one frame, beside a deflated source, which is inflated whole (see part10.inflate). Values stay as
    they are, valid or not; the attributes that the encoding decides follow it. A compressed frame is one fragment, and
    the Basic Offset Table is empty (PS3.5 A.4), so that nothing is written twice.

    Raises:
        CannotTranscode: the file is broken or has no such form. What came until then is to be thrown away.
    """
    try:
        yield from _transcoded(source, transfer_syntax)
    except InvalidDicom as error:
        raise CannotTranscode(f"the file cannot be read: {error}") from error


def _transcoded(source: Bytes, transfer_syntax: str) -> Iterator[bytes]:
    meta, start = read_meta(source)
    origin = next((uid_of(source, element) for element in meta if element.tag == _TRANSFER_SYNTAX), "")
    if not origin:
        raise CannotTranscode("TransferSyntaxUID (0002,0010) is absent")
    if origin == transfer_syntax:
        yield from copy_value(source, 0, len(source))
        return
    head = b"".join(_file_meta(source, meta, transfer_syntax))
    if origin in DEFLATED:
        source = inflate(source, start)
    elements = read_data_set(source, start, len(source), encoding_of(origin))
    changes = _changes(source, elements, origin, transfer_syntax)

    def changes_of(data_set: list[Element]) -> Changes:
        return changes if data_set is elements else _icon_changes(source, data_set, origin, transfer_syntax)

    body = encode_data_set(source, elements, encoding_of(transfer_syntax), changes_of)
    yield head
    yield from _deflated(body) if transfer_syntax == DEFLATED_LITTLE else body


def _file_meta(source: Bytes, meta: list[Element], transfer_syntax: str) -> Iterator[bytes]:
    """Preamble and File Meta Information (PS3.10 §7.1)."""
    encoding = encoding_of(EXPLICIT_LITTLE)
    uid = _padded(transfer_syntax.encode(), b"\0")
    changes = {_TRANSFER_SYNTAX: NewValue("UI", len(uid), [uid])}
    elements = b"".join(encode_data_set(source, meta, encoding, lambda _: changes))
    yield source[:132]
    yield element_header(0x00020000, "UL", 4, encoding) + struct.pack("<I", len(elements))
    yield elements


def _changes(source: Bytes, elements: list[Element], origin: str, target: str) -> Changes:
    holder = next((e for e in elements if e.tag == PIXEL_DATA), None)
    group = [e for e in elements if e.tag >> 16 == 0x28 or 0x6000 <= e.tag >> 16 <= 0x601E or e.tag >> 16 == 0x7FE0]
    metadata = to_json(group, Conversion(source, "ascii", ""))
    if origin in NATIVE and target in CONTAINERS:
        return {} if holder is None else {PIXEL_DATA: _native_value(source, holder, metadata, origin)}
    image = read_image_pixel(metadata, origin)
    if fault := can_transcode(image, origin, target):
        raise CannotTranscode(fault)
    if image is None:
        return {}
    frames = find_frames(source, elements, metadata)
    if frames is None or isinstance(frames, NativeFrames) is not (origin in NATIVE):
        length = next((e.length for e in elements if e.tag == PIXEL_DATA and e.fragments is None), None)
        missing = "" if length is None else shortfall(image.native_frame_bits, image.frame_count, length)
        unknown = f"{image.frame_count} frames cannot be found in the pixel data: truncated, or mixed up"
        raise CannotTranscode(missing or unknown)
    return _new_pixels(_frames(source, frames, image, target), image, metadata)


def _icon_changes(source: Bytes, item: list[Element], origin: str, target: str) -> Changes:
    """A compressed icon becomes native, which every transfer syntax allows in an item (PS3.5 A.4)."""
    if not any(element.tag == PIXEL_DATA and element.fragments is not None for element in item):
        return {}
    return _changes(source, item, origin, target if target in CONTAINERS else EXPLICIT_LITTLE)


def _native_value(source: Bytes, holder: Element, metadata: DataSet, origin: str) -> NewValue:
    """Native pixels in another container. Pixel Data is OW where a sample has more than a byte (PS3.5 A.1, A.2)."""
    if holder.fragments is not None:
        raise CannotTranscode(f"pixel data are encapsulated, which transfer syntax {origin} does not allow")
    bits = metadata.get(_BITS_ALLOCATED, {}).get("Value", [0])[0]
    wide = isinstance(bits, int) and bits > 8
    vr = "OW" if wide or holder.vr != "OB" else "OB"
    chunks: Iterable[bytes] = copy_value(source, holder.start, holder.length)
    if not holder.little:
        words = word_vr(bits if wide else 8, vr)
        chunks = (swap_bytes(chunk, words) for chunk in chunks)
    return NewValue(vr, holder.length, chunks)


def _new_pixels(frames: Iterator[tuple[bytes, ImagePixel]], image: ImagePixel, metadata: DataSet) -> Changes:
    # The first frame decides what the attributes before the pixels say.
    first, described = next(frames)
    rest = chain([first], _alike(frames, described))
    changes: dict[int, NewValue | None] = dict.fromkeys(_OFFSETS)
    if described.transfer_syntax in CONTAINERS:
        length = described.decoded_frame_bytes * image.frame_count
        changes[PIXEL_DATA] = NewValue(described.vr, length + length % 2, _padded_chunks(rest, length % 2))
    else:
        changes[PIXEL_DATA] = NewValue("OB", UNDEFINED, _fragments(rest))
    if described.photometric_interpretation != text_of(metadata, "00280004"):
        value = _padded(described.photometric_interpretation.encode(), b" ")
        changes[_PHOTOMETRIC_INTERPRETATION] = NewValue("CS", len(value), [value])
    if image.samples_per_pixel > 1:
        changes[_PLANAR_CONFIGURATION] = NewValue("US", 2, [b"\0\0"])
    return changes


def _alike(frames: Iterable[tuple[bytes, ImagePixel]], expected: ImagePixel) -> Iterator[bytes]:
    for frame, described in frames:
        if described != expected:
            raise CannotTranscode(
                f"frames are {expected.photometric_interpretation} and {described.photometric_interpretation}"
            )
        yield frame


def _frames(source: Bytes, frames: Frames, image: ImagePixel, target: str) -> Iterator[tuple[bytes, ImagePixel]]:
    """Every frame, decoded and encoded once."""
    read: Callable[[int], bytes]
    if isinstance(frames, NativeFrames):
        native, stored = frames, replace(image, transfer_syntax=EXPLICIT_LITTLE)
        little = image.transfer_syntax != EXPLICIT_BIG

        def read(number: int) -> bytes:
            return _native_frame(source, native, number, image, little)
    else:
        table, stored = frames.table, image

        def read(number: int) -> bytes:
            start, length = unpack_span(table[(number - 1) * SPAN_BYTES : number * SPAN_BYTES])
            return join_fragments(source[start : start + length])

    for number in range(1, frames.count + 1):
        pixels, decoded = decode_frame(read(number), stored)
        yield encode_frame(pixels, decoded, target)


def _native_frame(source: Bytes, frames: NativeFrames, number: int, image: ImagePixel, little: bool) -> bytes:
    """A native frame in little endian."""
    start, length, _ = frames.span(number)
    if little:
        return source[start : start + length]
    low, words = word_span(start, length, frames.start)
    swapped = swap_bytes(source[low : low + words], word_vr(image.bits_allocated, image.vr))
    return swapped[start - low : start - low + length]


def _fragments(frames: Iterable[bytes]) -> Iterator[bytes]:
    """One fragment a frame (PS3.5 A.4)."""
    yield _EMPTY_OFFSET_TABLE
    for frame in frames:
        padded = _padded(frame, b"\0")
        if len(padded) > _MAX_FRAGMENT:
            raise CannotTranscode(f"a frame of {len(padded)} bytes is more than one fragment holds")
        yield _FRAGMENT.pack(0xFFFE, 0xE000, len(padded))
        yield padded
    yield _FRAGMENTS_END


def _padded_chunks(chunks: Iterable[bytes], padding: int) -> Iterator[bytes]:
    yield from chunks
    yield b"\0" * padding


def _padded(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)


def _deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A raw deflate stream, padded to even length (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    for chunk in chain((deflater.compress(chunk) for chunk in chunks), _last(deflater)):
        length += len(chunk)
        yield chunk
    yield b"\0" * (length % 2)


def _last(deflater: "zlib._Compress") -> Iterator[bytes]:
    yield deflater.flush()
