"""Encoding without loss: what comes back is what went in."""

from typing import Any

import numpy as np
import pytest

from dicomweb.dicom.uids import JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_LS, RLE
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import cannot_encode
from dicomweb.pixels.decode import decode_frame
from dicomweb.pixels.encode import encode_frame
from tests.pixels.samples import an_image

NOISE = np.random.default_rng(1)
# Samples, signed, BitsAllocated, BitsStored.
KINDS = [
    (1, "u", 8, 8), (1, "u", 8, 2), (1, "u", 8, 1), (1, "i", 8, 8), (1, "i", 8, 6),
    (1, "u", 16, 16), (1, "u", 16, 12), (1, "u", 16, 8), (1, "u", 16, 2),
    (1, "i", 16, 16), (1, "i", 16, 12), (1, "i", 16, 9), (1, "i", 16, 8), (1, "i", 16, 2),
    (3, "u", 8, 8), (3, "u", 16, 16), (3, "u", 16, 12), (3, "u", 16, 8),
]  # fmt: skip


@pytest.mark.parametrize("transfer_syntax", [RLE, JPEG_LS, JPEG_2000_LOSSLESS])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(64, 64), (33, 47), (1, 1), (3, 5), (200, 8)])
def test_noise_of_every_kind_survives(
    transfer_syntax: str, kind: tuple[int, str, int, int], size: tuple[int, int]
) -> None:
    samples, sign, allocated, stored = kind
    low, high = (-(1 << stored - 1), 1 << stored - 1) if sign == "i" else (0, 1 << stored)
    pixels: Any = NOISE.integers(low, high, size if samples == 1 else (*size, samples)).astype(
        f"<{sign}{allocated // 8}"
    )
    image = an_image(pixels, stored)
    if fault := cannot_encode(image, transfer_syntax):
        with pytest.raises(CannotTranscode, match=fault.split(",")[0]):
            encode_frame(pixels, image, transfer_syntax)
        return
    frame, described = encode_frame(pixels, image, transfer_syntax)
    decoded, after = decode_frame(frame, described)
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)
    assert after == image


@pytest.mark.parametrize("colour", ["RGB", "YBR_FULL"])
def test_colour_is_kept(colour: str) -> None:
    pixels = NOISE.integers(0, 256, (40, 40, 3)).astype("u1")
    for transfer_syntax in (RLE, JPEG_LS, JPEG_2000_LOSSLESS):
        frame, described = encode_frame(pixels, an_image(pixels, photometric_interpretation=colour), transfer_syntax)
        decoded, after = decode_frame(frame, described)
        assert after.photometric_interpretation == colour
        assert np.array_equal(decoded, pixels)


def test_rgb_in_jpeg_2000_is_ybr_rct() -> None:
    pixels = np.zeros((40, 40, 3), "u1")
    _, described = encode_frame(pixels, an_image(pixels), JPEG_2000_LOSSLESS)
    assert described.photometric_interpretation == "YBR_RCT"  # PS3.5 §8.2.4


def test_no_lossy_encoding() -> None:
    pixels = np.zeros((40, 40), "u1")
    with pytest.raises(CannotTranscode, match="nothing is encoded"):
        encode_frame(pixels, an_image(pixels), JPEG_BASELINE)
