"""What can be decoded, encoded and transcoded (PS3.5 §8.2, Annex A). Pure: no codec is loaded to know it."""

from dataclasses import dataclass

from dicomweb.dicom.media_types import FRAME_TYPES
from dicomweb.dicom.uids import (
    DEFLATED_LITTLE,
    EXPLICIT_LITTLE,
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_LITTLE,
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    JPEG_LS_NEAR,
    NATIVE,
    RLE,
)
from dicomweb.pixels.image import PIXEL_DATA, ImagePixel

MAX_FRAME_BYTES = 256 * 1024 * 1024  # decoded; codecs take up to six times as much while they work
_MAX_NATIVE_BYTES = 0xFFFFFFFE  # the longest value of defined length (PS3.5 §7.1.1)

LOSSY_JPEG = frozenset({JPEG_BASELINE, JPEG_EXTENDED})
JPEG = LOSSY_JPEG | {JPEG_LOSSLESS, JPEG_LOSSLESS_SV1}
JPEG_LS_FAMILY = frozenset({JPEG_LS, JPEG_LS_NEAR})
JPEG_2000_FAMILY = frozenset({JPEG_2000_LOSSLESS, JPEG_2000, HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K})
DECODED = NATIVE | JPEG | JPEG_LS_FAMILY | JPEG_2000_FAMILY | {RLE}

# Written natively: Explicit VR Big Endian is retired, and only read.
CONTAINERS = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED_LITTLE})


@dataclass(frozen=True, slots=True)
class Range:
    """The pixels that a transfer syntax can hold. Colour is unsigned in all of them.

    Attributes:
        bits_stored: least and most.
        ybr_bits_allocated: most, of YBR_FULL.
        least_side, least_pixels: of an image, as its encoder has it.
    """

    bits_stored: tuple[int, int]
    ybr_bits_allocated: int
    bits_allocated: tuple[int, ...] = (8, 16)
    least_side: int = 1
    least_pixels: int = 1


ENCODED = {
    RLE: Range((1, 16), 8),  # PS3.5 Table 8.2.2-1
    # PS3.5 Table 8.2.3-1. The encoder leaves twice the raw length, which header and all must fit in.
    JPEG_LS: Range((2, 16), 8, least_pixels=64),
    # PS3.5 Table 8.2.4-1; more bits are allowed, but hardly read. The encoder always makes six resolutions.
    JPEG_2000_LOSSLESS: Range((1, 16), 16, least_side=32),
}
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})


def can_transcode(image: ImagePixel | None, source: str, target: str) -> str:
    """Why an instance cannot go from one transfer syntax to another; "" when it can.

    Said from metadata alone: a codestream may still turn out to be broken.

    Args:
        image: None for an object without pixel data.
    """
    if source == target:
        return ""
    if target not in CONTAINERS and target not in ENCODED:
        return f"nothing is encoded in transfer syntax {target}"
    if source not in NATIVE and source not in FRAME_TYPES:
        return f"transfer syntax {source} is not known"
    if image is None:
        return "" if target in CONTAINERS else f"an object without pixel data has no form in transfer syntax {target}"
    if source in NATIVE and target in CONTAINERS:
        return ""
    if fault := cannot_decode(image, source):
        return fault
    # A codec writes stored bits only: what stands beside them would be lost.
    if image.has_embedded_overlay:
        return "an overlay stands in the unused bits of the pixels"
    if image.high_bit != image.bits_stored - 1:
        return f"HighBit is {image.high_bit}, expected BitsStored - 1, which is {image.bits_stored - 1}"
    if target in CONTAINERS:
        return _fits_natively(image)
    return cannot_encode(image, target)


def cannot_decode(image: ImagePixel, source: str) -> str:
    """Why no frame of an image can be decoded; "" when it can."""
    if source not in DECODED:
        return f"there is no decoder for transfer syntax {source}"
    if image.keyword != PIXEL_DATA and source not in NATIVE:
        return f"{image.keyword} is never compressed"
    if image.decoded_frame_bytes > MAX_FRAME_BYTES:
        return f"a frame of {image.decoded_frame_bytes} bytes is too large, expected at most {MAX_FRAME_BYTES}"
    known = _GREY if image.samples_per_pixel == 1 else _COLOUR
    if image.photometric_interpretation not in known and image.keyword == PIXEL_DATA:
        return (
            f"PhotometricInterpretation is {image.photometric_interpretation}, "
            f"expected one of {', '.join(sorted(known))} for {image.samples_per_pixel} samples per pixel"
        )
    return ""


def cannot_encode(image: ImagePixel, target: str) -> str:
    """Why the pixels of an image have no form in a transfer syntax of ENCODED; "" when they have."""
    holds = ENCODED[target]
    least, most = holds.bits_stored
    colour = decoded_colour(image)
    if image.keyword != PIXEL_DATA:
        return f"{image.keyword} is never compressed"
    if image.bits_allocated not in holds.bits_allocated:
        return f"BitsAllocated is {image.bits_allocated}, transfer syntax {target} holds {holds.bits_allocated}"
    if not least <= image.bits_stored <= most:
        return f"BitsStored is {image.bits_stored}, transfer syntax {target} holds {least} to {most}"
    if min(image.rows, image.columns) < holds.least_side or image.rows * image.columns < holds.least_pixels:
        return f"an image of {image.rows} x {image.columns} pixels is too small to be encoded in {target}"
    if image.pixel_representation and colour not in ("MONOCHROME1", "MONOCHROME2"):
        return f"{colour} pixels are signed, transfer syntax {target} holds unsigned ones"
    if colour == "YBR_FULL" and image.bits_allocated > holds.ybr_bits_allocated:
        return f"YBR_FULL with BitsAllocated {image.bits_allocated} has no form in transfer syntax {target}"
    return ""


def decoded_colour(image: ImagePixel) -> str:
    """The Photometric Interpretation of a decoded frame, if its codestream agrees with the header.

    A lossy JPEG is converted to RGB, as every viewer does; decoders of JPEG 2000 undo the colour transform themselves
    (PS3.5 §8.2.4); YBR_FULL_422 gets its chroma samples back.
    """
    colour = image.photometric_interpretation
    if colour in ("YBR_ICT", "YBR_RCT") or (colour.startswith("YBR") and image.transfer_syntax in LOSSY_JPEG):
        return "RGB"
    return "YBR_FULL" if colour == "YBR_FULL_422" else colour


def _fits_natively(image: ImagePixel) -> str:
    if image.bits_allocated == 1:
        return "compressed bitmaps are not unpacked"
    length = image.decoded_frame_bytes * image.frame_count
    return "" if length <= _MAX_NATIVE_BYTES else f"{length} bytes are more than one native element holds"
