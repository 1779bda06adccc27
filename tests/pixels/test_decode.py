"""Decoding: as pydicom decodes."""

import io
from dataclasses import replace
from itertools import repeat, starmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array  # type: ignore[attr-defined]

from dicomweb.dicom.uids import (
    EXPLICIT_BIG,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    NATIVE,
)
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import LOSSY_JPEG
from dicomweb.pixels.decode import decode_frame
from tests.pixels.samples import (
    HTJ2K_16,
    HTJ2K_RGB,
    JPEG_12,
    JPEG_LOSSLESS_16,
    RAMP_12,
    RAMP_16,
    RAMP_RGB,
    an_image,
    header,
    image_files,
    image_of,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom warns of what is odd in its files

# Compressed files that are not decoded, by pydicom neither, but where it is said.
UNDECODABLE = {
    "JPEG-lossy.dcm": "cannot be decoded",  # 12 bits; pylibjpeg finds a marker misplaced
    "JPEG2000-embedded-sequence-delimiter.dcm": "tiles",  # made up: bytes of a delimiter, no image
    "emri_small_jpeg_2k_lossless_too_short.dcm": "truncated",  # pydicom fills the last frame with zeros
}
COMPRESSED = [
    path for path in image_files() if header(path).file_meta.get("TransferSyntaxUID", "") not in {*NATIVE, ""}
]
LOSSY_TOLERANCE = 5  # of 255; chroma samples are interpolated otherwise


@pytest.mark.parametrize(
    "path", [each for each in COMPRESSED if each.name not in UNDECODABLE], ids=lambda path: path.name
)
def test_frames_are_as_pydicom_decodes_them(path: Path) -> None:
    ds = header(path)
    image = image_of(ds, ds.file_meta.TransferSyntaxUID)
    is_colour_jpeg = image.transfer_syntax in LOSSY_JPEG and image.samples_per_pixel == 3
    expected = pixel_array(ds, raw=not is_colour_jpeg)
    expected = expected if image.frame_count > 1 else expected[None]
    for frame, wanted in zip(generate_frames(ds.PixelData, number_of_frames=image.frame_count), expected, strict=True):
        pixels, described = decode_frame(frame, image)
        assert pixels.dtype.itemsize * 8 == described.bits_allocated == ds.BitsAllocated
        difference = np.abs(pixels.astype("i8") - wanted.astype("i8"))
        if is_colour_jpeg:
            assert described.photometric_interpretation == "RGB"
            assert difference.max() <= LOSSY_TOLERANCE
            assert difference.mean() < 0.5
        else:
            assert difference.max() == 0


@pytest.mark.parametrize("path", [each for each in COMPRESSED if each.name in UNDECODABLE], ids=lambda path: path.name)
def test_what_is_broken_is_refused(path: Path) -> None:
    ds = header(path)
    image = image_of(ds, ds.file_meta.TransferSyntaxUID)
    frames = list(generate_frames(ds.PixelData, number_of_frames=image.frame_count))
    with pytest.raises(CannotTranscode, match=UNDECODABLE[path.name]):
        list(starmap(decode_frame, zip(frames, repeat(image), strict=False)))


@pytest.mark.parametrize("transfer_syntax", [HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K])
@pytest.mark.parametrize(("frame", "pixels"), [(HTJ2K_16, RAMP_16), (HTJ2K_RGB, RAMP_RGB)], ids=["grey", "colour"])
def test_high_throughput_jpeg_2000(transfer_syntax: str, frame: bytes, pixels: Any) -> None:
    colour = "YBR_RCT" if pixels.ndim == 3 else "MONOCHROME2"
    image = an_image(pixels, transfer_syntax=transfer_syntax, photometric_interpretation=colour)
    decoded, described = decode_frame(frame, image)
    assert np.array_equal(decoded, pixels)
    assert described.photometric_interpretation == ("RGB" if pixels.ndim == 3 else "MONOCHROME2")


def test_lossy_jpeg_of_12_bits() -> None:
    decoded, _ = decode_frame(JPEG_12, an_image(RAMP_12, 12, transfer_syntax=JPEG_EXTENDED))
    assert np.abs(decoded.astype(int) - RAMP_12).max() <= 2


@pytest.mark.parametrize("transfer_syntax", [JPEG_LOSSLESS, JPEG_LOSSLESS_SV1])
def test_lossless_jpeg(transfer_syntax: str) -> None:
    decoded, _ = decode_frame(JPEG_LOSSLESS_16, an_image(RAMP_16, transfer_syntax=transfer_syntax))
    assert np.array_equal(decoded, RAMP_16)


@pytest.mark.parametrize(
    ("colour", "options"),
    [
        ("YBR_FULL_422", {}),  # JFIF: what everyone writes
        ("RGB", {}),  # the data set says RGB, the JFIF marker YBR: the marker is right
        ("RGB", {"keep_rgb": True}),  # components named R, G, B
        ("YBR_FULL_422", {"keep_rgb": True}),
    ],
)
def test_lossy_jpeg_comes_out_as_rgb(colour: str, options: dict[str, Any]) -> None:
    smooth = np.dstack([np.add.outer(np.arange(32), np.arange(32)) * weight for weight in (1, 2, 3)]).astype("u1")
    content = io.BytesIO()
    Image.fromarray(smooth).save(content, "JPEG", quality=98, subsampling=0, **options)
    image = an_image(smooth, transfer_syntax=JPEG_BASELINE, photometric_interpretation=colour)
    decoded, described = decode_frame(content.getvalue(), image)
    assert described.photometric_interpretation == "RGB"
    assert np.abs(decoded.astype(int) - smooth).max() < 12


def test_a_bitmap_has_a_byte_for_each_pixel() -> None:
    bits = np.array([[1, 0, 1], [0, 1, 1]], "u1")
    image = an_image(bits, 1, bits_allocated=1)
    decoded, _ = decode_frame(np.packbits(bits, bitorder="little").tobytes(), image)
    assert np.array_equal(decoded, bits)


def test_unused_bits_repeat_the_sign() -> None:
    pixels = np.array([[-5, 7]], "<i2")
    image = an_image(pixels, 12)
    assert np.array_equal(decode_frame((pixels & 0x0FFF).tobytes(), image)[0], pixels)
    assert np.array_equal(decode_frame((pixels << 4).tobytes(), replace(image, high_bit=15))[0], pixels)


def test_floats() -> None:
    pixels = np.array([[1.5, -2.0]], "<f4")
    image = an_image(pixels, keyword="FloatPixelData", vr="OF", pixel_representation=0)
    assert np.array_equal(decode_frame(pixels.tobytes(), image)[0], pixels)


def test_big_endian_comes_out_little() -> None:
    pixels = np.array([[1, 256]], ">u2")
    decoded, _ = decode_frame(pixels.tobytes(), an_image(pixels, transfer_syntax=EXPLICIT_BIG))
    assert np.array_equal(decoded, pixels)
    assert decoded.tobytes() == b"\1\0\0\1"


def test_planes_become_pixels_and_chroma_comes_back() -> None:
    planes = np.arange(12, dtype="u1").reshape(3, 2, 2)
    image = an_image(planes.transpose(1, 2, 0), planar_configuration=1)
    decoded, described = decode_frame(planes.tobytes(), image)
    assert np.array_equal(decoded, planes.transpose(1, 2, 0))
    assert described.planar_configuration == 0
    shared = replace(image, planar_configuration=0, photometric_interpretation="YBR_FULL_422")
    decoded, described = decode_frame(bytes([10, 11, 1, 2, 20, 21, 3, 4]), shared)
    assert decoded.tolist() == [[[10, 1, 2], [11, 1, 2]], [[20, 3, 4], [21, 3, 4]]]
    assert described.photometric_interpretation == "YBR_FULL"


def test_too_few_bytes_are_refused() -> None:
    with pytest.raises(CannotTranscode, match="cannot be decoded"):
        decode_frame(b"\0" * 10, an_image(RAMP_16))
