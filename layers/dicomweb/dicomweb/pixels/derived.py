"""What compressed pixel data say of themselves: transfer syntax and Image Pixel attributes (PS3.18 §10.5.2). Pure."""

from dataclasses import dataclass
from typing import Any

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.media_types import FRAME_TYPES
from dicomweb.dicom.uids import (
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    JPEG_LS_NEAR,
)
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.codestream import Codestream, codestream_of, parse_codestream

# What a media type is in when nothing says it (PS3.18 Tables 8.7.3-4, 8.7.3-5), where its codestream does not tell.
_DEFAULTS = {
    "image/dicom-rle": "1.2.840.10008.1.2.5", "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/jpx": "1.2.840.10008.1.2.4.92", "image/jxl": "1.2.840.10008.1.2.4.110",
    "video/mpeg2": "1.2.840.10008.1.2.4.100", "video/mp4": "1.2.840.10008.1.2.4.102",
}  # fmt: skip
_TOLD = frozenset({"image/jpeg", "image/jls", "image/jp2"})


@dataclass(frozen=True, slots=True)
class Derived:
    """The transfer syntax of a compressed frame, its codestream without a file around it, and attributes."""

    transfer_syntax: str
    frame: bytes
    attributes: DataSet


COMPRESSED = (*sorted(_TOLD), *sorted(_DEFAULTS))  # media types of frames in compressed transfer syntaxes


def is_compressed(media_type: str) -> bool:
    """Whether bulk data of a media type are frames in a compressed transfer syntax."""
    return media_type in COMPRESSED


def derive(frame: bytes, media_type: str, transfer_syntax: str) -> Derived:
    """What a frame says of itself.

    Args:
        transfer_syntax: what the request says it is in, "" when it does not.
    Raises:
        CannotTranscode: it is no such codestream, or the transfer syntax is of another media type.
    """
    if transfer_syntax and FRAME_TYPES.get(transfer_syntax) != media_type:
        raise CannotTranscode(f"transfer syntax {transfer_syntax} is not one of {media_type}")
    if media_type not in _TOLD:
        return Derived(transfer_syntax or _DEFAULTS[media_type], frame, {})
    frame = codestream_of(frame)
    stream = parse_codestream(frame)
    return Derived(transfer_syntax or _syntax(stream, media_type), frame, _attributes(stream))


def _syntax(stream: Codestream, media_type: str) -> str:
    if media_type == "image/jp2":
        return JPEG_2000_LOSSLESS if stream.is_reversible else JPEG_2000
    if media_type == "image/jls":
        return JPEG_LS if stream.is_reversible else JPEG_LS_NEAR
    if stream.is_lossless_jpeg:
        return JPEG_LOSSLESS_SV1 if stream.is_first_order else JPEG_LOSSLESS
    return JPEG_BASELINE if stream.precision == 8 else JPEG_EXTENDED


def _attributes(stream: Codestream) -> DataSet:
    allocated = 8 if stream.precision <= 8 else 16
    values: dict[str, tuple[str, Any]] = {
        "00280002": ("US", stream.components),
        "00280004": ("CS", _colour(stream)),
        "00280010": ("US", stream.rows),
        "00280011": ("US", stream.columns),
        "00280100": ("US", allocated),
        "00280101": ("US", stream.precision),
        "00280102": ("US", stream.precision - 1),
        "00280103": ("US", int(stream.is_signed)),
    }
    if stream.components > 1:
        values["00280006"] = ("US", 0)
    if not stream.is_reversible and not stream.is_lossless_jpeg:
        values["00282110"] = ("CS", "01")
    return {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}


def _colour(stream: Codestream) -> str:
    if stream.components == 1:
        return "MONOCHROME2"
    if stream.is_jpeg_2000:
        if not stream.has_colour_transform:
            return "RGB"
        return "YBR_RCT" if stream.is_reversible else "YBR_ICT"
    if stream.colour_untransformed or stream.is_lossless_jpeg or stream.is_jpeg_ls:
        return "RGB"
    return "YBR_FULL_422" if stream.is_subsampled else "YBR_FULL"
