"""ICC profiles of pictures (PS3.18 §8.3.5.1.5, PS3.3 C.11.15)."""

import struct
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageCms

from dicomweb.dicom.json_model import DataSet, first_item
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.lookup_tables import ReadBulk

_OPTICAL_PATHS, _ICC_PROFILE = "00480105", "00282000"
_MOST_BYTES = 16 * 1024 * 1024

# Name → primaries adapted to D50 as XYZ of red, green and blue, and gamma: Adobe RGB (1998) §4.3, ISO 22028-2 (ROMM).
_MATRICES = {
    "adobergb": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 563 / 256),
    "rommrgb": ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491), 1.8),
}
_NAMES = {"adobergb": "Adobe RGB (1998) compatible", "rommrgb": "ROMM RGB compatible"}
_D50 = (0.9642, 1.0, 0.8249)


def read_profile(metadata: DataSet, read_bulk: ReadBulk) -> bytes:
    """The ICC profile of an image, b"" when it has none."""
    for item, path in ((metadata, ""), (first_item(metadata, _OPTICAL_PATHS) or {}, f"{_OPTICAL_PATHS}/1/")):
        if "BulkDataURI" in item.get(_ICC_PROFILE, {}):
            content = read_bulk(path + _ICC_PROFILE)
            return content if len(content) <= _MOST_BYTES else b""
    return b""


def with_profile(picture: Image.Image, profile: bytes, wanted: str) -> tuple[Image.Image, bytes]:
    """A colour picture in the colour space wanted, and the profile to be put into it.

    Args:
        profile: that of the image; b"" is sRGB.
        wanted: as in the query parameter; "" leaves the colours and keeps a profile that is there.
    Raises:
        CannotTranscode: the profile of the image is broken.
    """
    if wanted in ("", "no") or picture.mode != "RGB":
        return picture, profile if wanted != "no" and picture.mode == "RGB" else b""
    if wanted == "yes":
        return picture, profile or profile_of("srgb")
    target = profile_of(wanted)
    try:
        converted = ImageCms.profileToProfile(picture, BytesIO(profile or profile_of("srgb")), BytesIO(target))
    except ImageCms.PyCMSError as error:
        raise CannotTranscode(f"the image's ICC profile cannot be used: {error}") from error
    return converted or picture, target


@lru_cache
def profile_of(name: str) -> bytes:
    """The profile of a colour space: srgb, adobergb, rommrgb."""
    if name == "srgb":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, green, blue, gamma = _MATRICES[name]
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    text = _NAMES[name].encode() + b"\0"
    elements = {
        b"desc": b"desc" + struct.pack(">II", 0, len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0public domain\0",
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(red), b"gXYZ": _xyz(green), b"bXYZ": _xyz(blue),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    return _profile(elements)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(elements: dict[bytes, bytes]) -> bytes:
    """A display profile of version 2.1 (ICC.1:2001-04)."""
    start = 128 + 4 + 12 * len(elements)
    table, body = struct.pack(">I", len(elements)), b""
    for signature, element in elements.items():
        table += signature + struct.pack(">II", start + len(body), len(element))
        body += element + bytes(-len(element) % 4)
    header = struct.pack(
        ">I4sI4s4s4s6H4s4s",
        start + len(body), b"\0" * 4, 0x02100000, b"mntr", b"RGB ", b"XYZ ",
        2026, 1, 1, 0, 0, 0, b"acsp", b"\0" * 4,
    )  # fmt: skip
    header = header.ljust(68, b"\0") + struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return header.ljust(128, b"\0") + table + body
