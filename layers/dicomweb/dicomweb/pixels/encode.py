"""Arrays of stored values to frames (PS3.5 §8.2, Annex A.4)."""

import warnings
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
from pydicom.pixels.encoders.base import get_encoder

from dicomweb.dicom.uids import JPEG_2000_LOSSLESS, JPEG_LS, RLE
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import CONTAINERS, ENCODED, cannot_encode
from dicomweb.pixels.decode import JPEG_2000_CODEC, Pixels
from dicomweb.pixels.image import ImagePixel

_PLUGINS = {RLE: "pylibjpeg", JPEG_LS: "pyjpegls", JPEG_2000_LOSSLESS: "pylibjpeg"}


def encode_frame(pixels: Pixels, image: ImagePixel, transfer_syntax: str) -> tuple[bytes, ImagePixel]:
    """Encode one frame without loss.

    Args:
        pixels, image: as decode_frame gives them.
    Returns:
        The bytes of the frame, without padding, and what describes them.
    Raises:
        CannotTranscode: the transfer syntax cannot hold such pixels, with the reason.
    """
    if transfer_syntax in CONTAINERS:
        return pixels.tobytes(), replace(image, transfer_syntax=transfer_syntax)
    if transfer_syntax not in ENCODED:
        raise CannotTranscode(f"nothing is encoded in transfer syntax {transfer_syntax}")
    if fault := cannot_encode(image, transfer_syntax):
        raise CannotTranscode(fault)
    colour = image.photometric_interpretation
    if transfer_syntax == JPEG_2000_LOSSLESS and colour == "RGB":
        colour = "YBR_RCT"  # the reversible colour transform, undone by every decoder (PS3.5 §8.2.4)
    described = replace(image, transfer_syntax=transfer_syntax, photometric_interpretation=colour, vr="OB")
    return _encode(pixels, described), described


def _encode(pixels: Pixels, image: ImagePixel) -> bytes:
    bits_stored, pixel_representation = image.bits_stored, image.pixel_representation
    if image.transfer_syntax == RLE:
        bits_stored = image.bits_allocated  # RLE has every byte of a sample
    elif image.transfer_syntax == JPEG_LS and pixel_representation:
        # JPEG-LS knows no sign: BitsStored bits of two's complement (PS3.5 §8.2.3).
        pixels = pixels.view(pixels.dtype.str.replace("i", "u")) & np.array((1 << bits_stored) - 1, "u2")
        pixels, pixel_representation = pixels.astype(f"<u{image.bits_allocated // 8}"), 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with JPEG_2000_CODEC if image.transfer_syntax == JPEG_2000_LOSSLESS else nullcontext():
                return get_encoder(image.transfer_syntax).encode(
                    pixels,
                    encoding_plugin=_PLUGINS[image.transfer_syntax],
                    rows=image.rows,
                    columns=image.columns,
                    number_of_frames=1,
                    samples_per_pixel=image.samples_per_pixel,
                    bits_allocated=image.bits_allocated,
                    bits_stored=bits_stored,
                    pixel_representation=pixel_representation,
                    photometric_interpretation=image.photometric_interpretation,
                    planar_configuration=0,
                )
    except (RuntimeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CannotTranscode(f"a frame cannot be encoded in {image.transfer_syntax}: {reason}") from error
