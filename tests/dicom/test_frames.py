import struct
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import JPEGBaseline8Bit

from dicomweb.dicom.frames import (
    SPAN_BYTES,
    EncapsulatedFrames,
    NativeFrames,
    join_fragments,
    shift_bits,
    swap_bytes,
    unpack_span,
)
from dicomweb.dicom.part10 import read_file
from tests.builders import a_data_set, a_file

FRAMES = [b"\xff\xd8one\xff\xd9" + bytes(1), b"\xff\xd8two-two\xff\xd9" + bytes(1), b"\xff\xd8three\xff\xd9" + bytes(1)]


def frames_of(file: bytes) -> list[bytes]:
    frames = read_file(file, "ascii").frames
    if isinstance(frames, NativeFrames):
        native = [frames.span(number) for number in range(1, frames.count + 1)]
        return [shift_bits(file[start : start + length], skip, frames.frame_bits) for start, length, skip in native]
    assert isinstance(frames, EncapsulatedFrames)
    spans = [unpack_span(frames.table[at : at + SPAN_BYTES]) for at in range(0, len(frames.table), SPAN_BYTES)]
    return [join_fragments(file[start : start + length]) for start, length in spans]


def an_encapsulated_file(pixel_data: bytes, count: int = 3, **attributes: object) -> bytes:
    ds = a_data_set(NumberOfFrames=count, BitsAllocated=8, PixelData=pixel_data, **attributes)
    ds["PixelData"].VR = "OB"
    return a_file(ds, transfer_syntax=JPEGBaseline8Bit)


def item(value: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def test_native_frames_follow_one_another() -> None:
    pixels = np.arange(48, dtype="<u2")
    file = a_file(NumberOfFrames=3, PixelData=pixels.tobytes())
    assert frames_of(file) == [pixels[at : at + 16].tobytes() for at in (0, 16, 32)]


def test_a_frame_of_a_bitmap_may_start_within_a_byte() -> None:
    pixels = np.random.default_rng(1).integers(0, 2, (3, 9), dtype=np.uint8)  # 3 frames of 3 x 3 single bits
    packed = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    file = a_file(NumberOfFrames=3, Rows=3, Columns=3, BitsAllocated=1, PixelData=packed)
    assert frames_of(file) == [np.packbits(frame, bitorder="little").tobytes() for frame in pixels]


def test_ybr_422_has_two_samples_a_pixel() -> None:
    attributes: dict[str, Any] = {"PhotometricInterpretation": "YBR_FULL_422", "SamplesPerPixel": 3, "BitsAllocated": 8}
    file = a_file(NumberOfFrames=2, PixelData=bytes(range(64)), **attributes)
    assert frames_of(file) == [bytes(range(32)), bytes(range(32, 64))]


@pytest.mark.parametrize("has_offset_table", [True, False])
@pytest.mark.parametrize("fragments", [1, 2])
def test_encapsulated_frames_are_found_with_and_without_offset_table(has_offset_table: bool, fragments: int) -> None:
    pixel_data = encapsulate(FRAMES, fragments_per_frame=fragments, has_bot=has_offset_table)
    assert frames_of(an_encapsulated_file(pixel_data)) == FRAMES


def test_an_extended_offset_table_is_used() -> None:
    # Fragments that do not look like JPEG: the table alone tells.
    frames = [b"aaaa", b"bbbbbb", b"cc"]
    pixel_data, offsets, lengths = encapsulate_extended(frames)
    file = an_encapsulated_file(pixel_data, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    assert frames_of(file) == frames


def test_a_wrong_offset_table_is_not_believed() -> None:
    wrong = item(struct.pack("<III", 0, 5, 7))
    cut = [part for frame in FRAMES for part in (frame[:4], frame[4:])]
    file = an_encapsulated_file(wrong + b"".join(item(part) for part in cut) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    assert frames_of(file) == FRAMES


def test_a_table_that_leads_into_frames_is_not_believed() -> None:
    halves = [half for frame in FRAMES for half in (frame[:4], frame[4:])]
    starts = [sum(8 + len(half) for half in halves[:n]) for n in (0, 1, 2)]  # of the first three halves
    pixels = item(struct.pack("<3I", *starts)) + b"".join(map(item, halves)) + bytes.fromhex("feffdde000000000")
    file = an_encapsulated_file(pixels)
    assert frames_of(file) == FRAMES
    as_many_as_halves = an_encapsulated_file(item(b"") + pixels[20:], count=6)
    assert read_file(as_many_as_halves, "ascii").frames is None


def test_frames_that_nothing_leads_to_are_none() -> None:
    file = an_encapsulated_file(encapsulate([b"one stream of many frames!"], has_bot=False))
    assert read_file(file, "ascii").frames is None


def test_an_object_without_pixels_has_no_frames() -> None:
    assert read_file(a_file(PixelData=None), "ascii").frames is None


@pytest.mark.parametrize(
    ("vr", "swapped"), [("OB", b"abcdefgh"), ("OW", b"badcfehg"), ("OF", b"dcbahgfe"), ("OD", b"hgfedcba")]
)
def test_big_endian_values_are_swapped_by_their_width(vr: str, swapped: bytes) -> None:
    assert swap_bytes(b"abcdefgh", vr) == swapped
