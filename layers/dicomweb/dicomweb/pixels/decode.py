"""Frames to arrays of stored values (PS3.5 §8, Annex A.4)."""

import warnings
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from dicomweb.dicom.uids import EXPLICIT_LITTLE, NATIVE, RLE
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import (
    JPEG,
    JPEG_2000_FAMILY,
    JPEG_LS_FAMILY,
    cannot_decode,
    decoded_colour,
)
from dicomweb.pixels.codestream import Codestream, read_codestream
from dicomweb.pixels.image import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, ImagePixel

Pixels = NDArray[Any]

# Two encodings at once crash the process (pylibjpeg-openjpeg 2.5): JPEG 2000 is left to one thread at a time.
JPEG_2000_CODEC = Lock()

# One codec for each, so that a broken frame is not tried again with another. Pillow has the lossy 8-bit JPEGs.
_PLUGINS = {
    **dict.fromkeys(JPEG, "pylibjpeg"),
    **dict.fromkeys(JPEG_LS_FAMILY, "pyjpegls"),
    **dict.fromkeys(JPEG_2000_FAMILY, "pylibjpeg"),
    RLE: "pylibjpeg",
}
_FLOATS = {FLOAT_PIXEL_DATA: "<f4", DOUBLE_FLOAT_PIXEL_DATA: "<f8"}


def decode_frame(frame: bytes, image: ImagePixel) -> tuple[Pixels, ImagePixel]:
    """Decode one frame to stored values (before the Modality LUT).

    Args:
        frame: as stored, item headers removed (PS3.5 A.4); of a bitmap, moved to a byte boundary.
    Returns:
        (rows, columns) or (rows, columns, samples), little endian, of BitsAllocated bits, 8 for a bitmap; bits that are
        not stored repeat the sign or are 0. And what describes it now: colour by pixel, as decoded_colour says.
    Raises:
        CannotTranscode: no decoder, broken, cut off, or of another size than the data set says.
    """
    if fault := cannot_decode(image, image.transfer_syntax):
        raise CannotTranscode(fault)
    stream = read_codestream(frame, image)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of what it mends
            pixels, colour = _decode(frame, image, stream)
    except (RuntimeError, ValueError, AttributeError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())  # pydicom's has several lines
        raise CannotTranscode(f"a frame in {image.transfer_syntax} cannot be decoded: {reason}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Rust's, of pylibjpeg-rle: no Exception
            raise
        raise CannotTranscode(f"a frame in {image.transfer_syntax} is broken: {error}") from error
    return pixels.astype(dtype_of(image), copy=False), replace(
        image,
        photometric_interpretation=colour,
        planar_configuration=0,
        high_bit=image.bits_stored - 1,
        transfer_syntax=EXPLICIT_LITTLE,
        vr="OB" if image.bits_allocated <= 8 else image.vr if image.keyword in _FLOATS else "OW",
    )


def dtype_of(image: ImagePixel) -> str:
    """numpy's name for one decoded sample."""
    return _FLOATS.get(image.keyword) or f"<{'ui'[image.pixel_representation]}{max(1, image.bits_allocated // 8)}"


def _decode(frame: bytes, image: ImagePixel, stream: Codestream | None) -> tuple[Pixels, str]:
    if stream is not None and image.transfer_syntax in JPEG and not stream.is_lossless_jpeg:
        if stream.precision == 8:
            return _decode_lossy_jpeg(frame, image, stream)
        if image.samples_per_pixel > 1:
            raise ValueError(f"colour of {stream.precision} bits is not decoded from a lossy JPEG")
    if stream is not None:
        return _decode_by_pydicom(frame, image, stream)
    # Stored bits end at HighBit: in some old images not at the lowest bit (PS3.5 §8.1.1).
    shift = image.high_bit + 1 - image.bits_stored
    pixels, colour = _decode_by_pydicom(frame, replace(image, bits_stored=image.high_bit + 1), None)
    return (pixels >> shift if shift else pixels), colour


def _decode_lossy_jpeg(frame: bytes, image: ImagePixel, stream: Codestream) -> tuple[Pixels, str]:
    is_ybr = not stream.has_rgb_components and (
        image.photometric_interpretation.startswith("YBR") or stream.has_ybr_marker
    )
    with Image.open(BytesIO(frame), formats=("JPEG",)) as opened:
        if image.samples_per_pixel == 1:
            return np.asarray(opened), image.photometric_interpretation
        if is_ybr and stream.colour_untransformed:
            raw = Image.frombytes("YCbCr", opened.size, opened.tobytes())
            return np.asarray(raw.convert("RGB")), "RGB"
        if not is_ybr and not stream.colour_untransformed:
            opened.draft("YCbCr", opened.size)  # what is RGB already is left as it is
        return np.asarray(opened), "RGB"


def _decode_by_pydicom(frame: bytes, image: ImagePixel, stream: Codestream | None) -> tuple[Pixels, str]:
    bits_allocated, bits_stored = image.bits_allocated, image.bits_stored
    if stream is not None and image.transfer_syntax in JPEG:
        # The decoder gives bytes for up to 8 bits, whatever BitsAllocated is.
        bits_allocated = 8 if stream.precision <= 8 else 16
        bits_stored = min(bits_stored, bits_allocated)
    options: Any = {
        "rows": image.rows,
        "columns": image.columns,
        "number_of_frames": 1,
        "samples_per_pixel": image.samples_per_pixel,
        "bits_allocated": bits_allocated,
        "bits_stored": bits_stored,
        "pixel_representation": image.pixel_representation,
        "photometric_interpretation": image.photometric_interpretation,
        "planar_configuration": image.planar_configuration,
        "pixel_keyword": image.keyword,
        "pixel_vr": image.vr,
        "decoding_plugin": _PLUGINS.get(image.transfer_syntax, ""),
    }
    source = frame if image.transfer_syntax in NATIVE else encapsulate([frame], has_bot=False)
    with JPEG_2000_CODEC if image.transfer_syntax in JPEG_2000_FAMILY else nullcontext():
        pixels, described = get_decoder(image.transfer_syntax).as_array(source, index=0, raw=True, **options)
    colour = str(described["photometric_interpretation"])
    return pixels, decoded_colour(replace(image, photometric_interpretation=colour))
