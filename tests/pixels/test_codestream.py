"""Frames that lie about their size, or are cut off: refused before a codec allocates anything."""

import resource
import struct
from typing import Any

import numpy as np
import pytest

from dicomweb.dicom.uids import (
    HTJ2K,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    RLE,
)
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.decode import decode_frame
from dicomweb.pixels.encode import encode_frame
from tests.pixels.samples import HTJ2K_16, JPEG_12, JPEG_LOSSLESS_16, RAMP_12, RAMP_16, an_image

GREY = np.arange(64 * 64, dtype="<u2").reshape(64, 64)
ALLOWED_GROWTH = 64 * 1024  # kilobytes


def a_frame(transfer_syntax: str) -> tuple[bytes, Any]:
    return encode_frame(GREY, an_image(GREY), transfer_syntax)


def a_jpeg_header(marker: int, rows: int, columns: int, components: int = 1) -> bytes:
    header = struct.pack(">BHHB", 8, rows, columns, components) + b"\1\x11\0" * components
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0" + b"\0" * 64 + b"\xff\xd9"
    return b"\xff\xd8\xff" + bytes((marker,)) + struct.pack(">H", len(header) + 2) + header + scan


def a_jpeg_2000_header(rows: int, columns: int, tile: int = 0, components: int = 1, step: int = 1) -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, columns, rows, 0, 0, tile or columns, tile or rows, 0, 0, components)
    size += bytes((15, step, step)) * components
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9" * 8


BOMBS = {
    "jpeg": (a_jpeg_header(0xC0, 65_535, 65_535), JPEG_BASELINE, "rows, columns, samples"),
    "jpeg without rows": (a_jpeg_header(0xC0, 0, 64), JPEG_BASELINE, "rows, columns, samples"),
    "jpeg of four components": (a_jpeg_header(0xC0, 64, 64, 4), JPEG_BASELINE, "rows, columns, samples"),
    "lossless jpeg": (a_jpeg_header(0xC3, 65_535, 65_535), JPEG_LOSSLESS_SV1, "rows, columns, samples"),
    "progressive jpeg": (a_jpeg_header(0xC2, 64, 64), JPEG_BASELINE, "FFC2"),
    "two frame headers": (
        a_jpeg_header(0xC0, 64, 64)[:15] + a_jpeg_header(0xC0, 65_535, 65_535)[2:], JPEG_BASELINE, "FFC0"
    ),
    "jpeg-ls": (a_jpeg_header(0xF7, 65_535, 65_535), JPEG_LS, "rows, columns, samples"),
    "jpeg 2000": (a_jpeg_2000_header(65_535, 65_535), JPEG_2000_LOSSLESS, "rows, columns, samples"),
    "jpeg 2000 of 4096 tiles a side": (a_jpeg_2000_header(4_294_967_295, 64, 1), JPEG_2000_LOSSLESS, "tiles"),
    "jpeg 2000 of no tile": (a_jpeg_2000_header(0, 64), JPEG_2000_LOSSLESS, "tiles"),
    "jpeg 2000 of many components": (a_jpeg_2000_header(64, 64, components=16_000), HTJ2K, "rows, columns, samples"),
    "jpeg 2000 subsampled": (a_jpeg_2000_header(64, 64, step=2), JPEG_2000_LOSSLESS, "subsampled"),
    "nothing": (b"", JPEG_BASELINE, "no JPEG"),
    "zeros": (b"\0" * 100, JPEG_2000_LOSSLESS, "no JPEG 2000"),
    "rle without header": (b"\2\0\0\0", RLE, "cannot be decoded"),
    "rle of 4 billion segments": (b"\xff" * 64 + b"\0" * 64, RLE, "cannot be decoded"),
    "rle that starts behind its end": (struct.pack("<16I", 2, 1_000_000, *[2_000_000] * 14), RLE, "cannot be decoded|broken"),
    "rle of other segments": (struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 64, RLE, "cannot be decoded"),
    "rle that inflates": (struct.pack("<16I", 2, 64, 64, *[0] * 13) + b"\x81\0" * 900_000, RLE, "cannot be decoded|broken"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_lies_cost_nothing(name: str) -> None:
    frame, transfer_syntax, reason = BOMBS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CannotTranscode, match=reason):
        decode_frame(frame, an_image(GREY, transfer_syntax=transfer_syntax))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < ALLOWED_GROWTH


@pytest.mark.parametrize("transfer_syntax", [JPEG_BASELINE, JPEG_LS, JPEG_2000_LOSSLESS, RLE])
def test_lies_that_agree_with_the_data_set_cost_nothing_either(transfer_syntax: str) -> None:
    image = an_image(GREY, rows=65_535, columns=65_535, transfer_syntax=transfer_syntax)
    with pytest.raises(CannotTranscode, match="too large"):
        decode_frame(a_jpeg_2000_header(65_535, 65_535), image)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("transfer_syntax", [JPEG_LS, JPEG_2000_LOSSLESS, RLE])
def test_a_frame_that_is_cut_off_is_refused(transfer_syntax: str, kept: float) -> None:
    frame, image = a_frame(transfer_syntax)
    with pytest.raises(CannotTranscode):
        decode_frame(frame[: int(len(frame) * kept)], image)


@pytest.mark.parametrize(
    ("frame", "pixels", "transfer_syntax"),
    [(JPEG_12, RAMP_12, JPEG_EXTENDED), (JPEG_LOSSLESS_16, RAMP_16, JPEG_LOSSLESS_SV1), (HTJ2K_16, RAMP_16, HTJ2K)],
)
def test_so_is_one_that_no_encoder_of_ours_made(frame: bytes, pixels: Any, transfer_syntax: str) -> None:
    with pytest.raises(CannotTranscode, match="truncated"):
        decode_frame(frame[:-10], an_image(pixels, transfer_syntax=transfer_syntax))


def test_padding_is_no_fault() -> None:
    for transfer_syntax in (JPEG_LS, JPEG_2000_LOSSLESS, RLE):
        frame, image = a_frame(transfer_syntax)
        assert np.array_equal(decode_frame(frame + b"\0", image)[0], GREY)


def test_more_bits_than_allocated_are_refused() -> None:
    frame, image = a_frame(JPEG_2000_LOSSLESS)
    narrow = an_image(GREY.astype("u1"), transfer_syntax=image.transfer_syntax)
    with pytest.raises(CannotTranscode, match="16 bits"):
        decode_frame(frame, narrow)
