"""Pictures as files: JPEG, PNG, GIF, WebP, JPEG 2000."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from dicomweb.errors import CannotTranscode

JPEG, PNG, GIF, WEBP, JP2 = "image/jpeg", "image/png", "image/gif", "image/webp", "image/jp2"

_DEFAULT_QUALITY = 90
_RUN_LENGTHS = 3  # zlib's strategy: on grey images faster than its default and no larger
_SHARP = 90  # quality from which colours keep every pixel
_MOST_SIDE, _MOST_OF_ANY = {JPEG: 65_500, WEBP: 16_383}, 0xFFFF  # pixels: libjpeg's limit, libwebp's, and DICOM's
_SHORTEST_MS, _LONGEST_MS = 20, 655_350  # of a picture in a GIF: shorter ones are shown slowly; 16 bits of 10 ms
_LEAST_DB, _DB_A_POINT = 30, 0.3  # what a quality is in JPEG 2000


def encode_picture(picture: Image.Image, media_type: str, quality: int | None, profile: bytes = b"") -> bytes:
    """One picture as a file.

    Args:
        picture: of mode L or RGB.
        quality: 1 to 100, of what is lossy.
        profile: an ICC profile to be put in, where the format has a place for it.
    Raises:
        CannotTranscode: it is larger than the format can say.
    """
    most = _MOST_SIDE.get(media_type, _MOST_OF_ANY)
    if max(picture.size) > most:
        raise CannotTranscode(f"a picture of {picture.width} x {picture.height} pixels; {media_type} has {most} a side")
    file = BytesIO()
    name, options = _FORMATS[media_type]
    picture.save(file, name, **options(picture, quality), **({"icc_profile": profile} if profile else {}))
    return file.getvalue()


def encode_animation(pictures: Sequence[Image.Image], frame_ms: float) -> bytes:
    """Pictures of one size as an animated GIF that begins again when it ends."""
    file = BytesIO()
    head, *rest = pictures
    # Pictures that are the same are written once, for the time of all of them.
    duration = int(min(max(_SHORTEST_MS, frame_ms), _LONGEST_MS / len(pictures)))
    head.save(file, "GIF", save_all=True, append_images=rest, duration=duration, loop=0)
    return file.getvalue()


def _jpeg(picture: Image.Image, quality: int | None) -> dict[str, Any]:
    quality = quality or _DEFAULT_QUALITY
    return {"quality": quality, "subsampling": 0 if quality >= _SHARP or picture.mode == "L" else 2}


def _png(_picture: Image.Image, _quality: int | None) -> dict[str, Any]:
    return {"compress_level": 1, "compress_type": _RUN_LENGTHS}


def _gif(_picture: Image.Image, _quality: int | None) -> dict[str, Any]:
    return {}


def _webp(_picture: Image.Image, quality: int | None) -> dict[str, Any]:
    return {"quality": quality or _DEFAULT_QUALITY, "method": 1}


def _jp2(_picture: Image.Image, quality: int | None) -> dict[str, Any]:
    if quality is None or quality == 100:
        return {"irreversible": False}
    return {"quality_mode": "dB", "quality_layers": [_LEAST_DB + quality * _DB_A_POINT], "irreversible": True}


_FORMATS: dict[str, tuple[str, Callable[[Image.Image, int | None], dict[str, Any]]]] = {
    JPEG: ("JPEG", _jpeg),
    PNG: ("PNG", _png),
    GIF: ("GIF", _gif),
    WEBP: ("WEBP", _webp),
    JP2: ("JPEG2000", _jp2),
}
