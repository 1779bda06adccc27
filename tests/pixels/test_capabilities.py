"""What can be transcoded, from metadata alone."""

from typing import Any

import numpy as np
import pytest

from dicomweb.dicom.uids import (
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HTJ2K,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    RLE,
)
from dicomweb.pixels.capabilities import can_transcode
from tests.pixels.samples import an_image

GREY = np.zeros((64, 64), "<u2")
COLOUR = np.zeros((64, 64, 3), "u1")
MPEG_2 = "1.2.840.10008.1.2.4.100"


@pytest.mark.parametrize(
    "source", [IMPLICIT_LITTLE, EXPLICIT_BIG, JPEG_BASELINE, JPEG_LOSSLESS_SV1, JPEG_2000, HTJ2K, RLE]
)
@pytest.mark.parametrize("target", [EXPLICIT_LITTLE, DEFLATED_LITTLE, JPEG_LS, JPEG_2000_LOSSLESS, RLE])
def test_ordinary_images_can(source: str, target: str) -> None:
    for pixels in (GREY, COLOUR):
        assert can_transcode(an_image(pixels, transfer_syntax=source), source, target) == ""


@pytest.mark.parametrize(
    ("pixels", "fields", "source", "target", "reason"),
    [
        (GREY, {}, EXPLICIT_LITTLE, JPEG_BASELINE, "nothing is encoded in"),
        (GREY, {}, EXPLICIT_LITTLE, EXPLICIT_BIG, "nothing is encoded in"),
        (GREY, {}, MPEG_2, EXPLICIT_LITTLE, "no decoder"),
        (GREY, {}, "1.2.3", EXPLICIT_LITTLE, "not known"),
        (GREY, {"bits_stored": 1, "high_bit": 0}, EXPLICIT_LITTLE, JPEG_LS, "BitsStored is 1"),
        (GREY, {"bits_allocated": 32}, EXPLICIT_LITTLE, RLE, "BitsAllocated is 32"),
        (GREY, {"bits_allocated": 1}, EXPLICIT_LITTLE, RLE, "BitsAllocated is 1,"),
        (GREY, {"bits_allocated": 1}, RLE, EXPLICIT_LITTLE, "bitmaps"),
        (GREY, {"bits_stored": 12, "high_bit": 15}, EXPLICIT_LITTLE, JPEG_LS, "HighBit is 15"),
        (GREY, {"has_embedded_overlay": True}, EXPLICIT_LITTLE, RLE, "overlay"),
        (GREY, {"keyword": "FloatPixelData"}, EXPLICIT_LITTLE, RLE, "FloatPixelData is never compressed"),
        (GREY, {"rows": 20_000, "columns": 20_000}, EXPLICIT_LITTLE, RLE, "too large"),
        (GREY, {"rows": 8_000, "columns": 8_000, "frame_count": 40}, RLE, EXPLICIT_LITTLE, "one native element"),
        (GREY, {"rows": 20}, EXPLICIT_LITTLE, JPEG_2000_LOSSLESS, "too small"),
        (GREY, {"photometric_interpretation": "RGB"}, EXPLICIT_LITTLE, RLE, "PhotometricInterpretation is RGB"),
        (COLOUR, {"pixel_representation": 1}, EXPLICIT_LITTLE, JPEG_LS, "signed"),
        (COLOUR, {"photometric_interpretation": "YBR_FULL", "bits_allocated": 16}, EXPLICIT_LITTLE, JPEG_LS, "YBR_FULL"),
        (COLOUR, {"photometric_interpretation": "YBR_PARTIAL_420"}, EXPLICIT_LITTLE, RLE, "YBR_PARTIAL_420"),
    ],
)  # fmt: skip
def test_others_cannot(pixels: Any, fields: dict[str, Any], source: str, target: str, reason: str) -> None:
    assert reason in can_transcode(an_image(pixels, **{"transfer_syntax": source, **fields}), source, target)


def test_an_object_without_pixels_has_a_form_in_containers_only() -> None:
    assert can_transcode(None, IMPLICIT_LITTLE, EXPLICIT_LITTLE) == ""
    assert "without pixel data" in can_transcode(None, IMPLICIT_LITTLE, RLE)


def test_what_no_codec_touches_needs_no_codec() -> None:
    odd = an_image(GREY, photometric_interpretation="ARGB", has_embedded_overlay=True, rows=60_000, columns=60_000)
    assert can_transcode(odd, IMPLICIT_LITTLE, EXPLICIT_LITTLE) == ""
    assert can_transcode(odd, MPEG_2, MPEG_2) == ""
