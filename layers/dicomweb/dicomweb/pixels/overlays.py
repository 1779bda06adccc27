"""Overlay planes (PS3.3 C.9.2)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicomweb.dicom.json_model import DataSet, first
from dicomweb.dicom.uids import NATIVE
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.lookup_tables import ReadBulk, numbers_of

GROUPS = [f"60{group:02X}" for group in range(0, 0x20, 2)]
_MOST_BYTES = 64 * 1024 * 1024

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Overlay:
    """One plane of a frame.

    Attributes:
        origin: the row and column of the image, from 1, where its first pixel is.
        bits: (rows, columns); None when they stand in the pixels at bit_position (retired).
    """

    origin: tuple[int, int]
    bits: Mask | None
    bit_position: int


def read_overlays(metadata: DataSet, frame: int, read_bulk: ReadBulk) -> list[Overlay]:
    """The overlay planes of a frame, from 1; what is broken is left out."""
    found = (read_overlay(metadata, group, frame, read_bulk) for group in GROUPS)
    return [overlay for overlay in found if overlay]


def overlay_mask(overlays: list[Overlay], image: ImagePixel, raw: bytes) -> Mask:
    """Where a frame has overlays, (rows, columns).

    Args:
        raw: the frame as it is stored, natively and in little endian, for planes in its unused bits.
    """
    mask = np.zeros((image.rows, image.columns), bool)
    for overlay in overlays:
        plane = overlay.bits if overlay.bits is not None else _embedded(overlay.bit_position, image, raw)
        if plane is None:
            continue
        mask |= placed(plane, overlay.origin, image.rows, image.columns)
    return mask


def placed(plane: Mask, origin: tuple[int, int], rows: int, columns: int) -> Mask:
    """A plane in an image of so many rows and columns."""
    mask = np.zeros((rows, columns), bool)
    row, column = origin[0] - 1, origin[1] - 1
    top, left = max(row, 0), max(column, 0)
    part = plane[max(-row, 0) :, max(-column, 0) :][: max(rows - top, 0), : max(columns - left, 0)]
    mask[top : top + part.shape[0], left : left + part.shape[1]] |= part
    return mask


def read_overlay(metadata: DataSet, group: str, frame: int, read_bulk: ReadBulk) -> Overlay | None:
    """The plane of a group of a frame; None where there is none, or it is broken."""
    rows, columns = _count(metadata, f"{group}0010", 0), _count(metadata, f"{group}0011", 0)
    origin = numbers_of(metadata, f"{group}0050") or [1.0, 1.0]
    if not 0 < rows * columns <= _MOST_BYTES * 8 or len(origin) != 2 or None in origin:
        return None
    number = frame - _count(metadata, f"{group}0051", 1)  # Image Frame Origin
    frames = _count(metadata, f"{group}0015", 1)
    place = (int(origin[0] or 1), int(origin[1] or 1))
    if f"{group}3000" not in metadata:
        position = first(metadata, f"{group}0102")
        return Overlay(place, None, position) if isinstance(position, int) and position > 0 else None
    # An overlay that does not count its frames is one of every frame (PS3.3 C.9.2.1.4).
    if f"{group}0015" in metadata and not 0 <= number < frames:
        return None
    content = read_bulk(f"{group}3000")
    start = max(number, 0) * rows * columns if frames > 1 else 0
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")[start : start + rows * columns]
    if bits.size < rows * columns:
        return None
    return Overlay(place, bits.reshape(rows, columns).astype(bool), 0)


def _count(metadata: DataSet, tag: str, default: int) -> int:
    """A number above 0; the default for anything else."""
    value = first(metadata, tag)
    return value if isinstance(value, int) and value > 0 else default


def _embedded(position: int, image: ImagePixel, raw: bytes) -> Mask | None:
    if (
        image.transfer_syntax not in NATIVE
        or image.bits_allocated not in (8, 16)
        or position >= image.bits_allocated
        or image.samples_per_pixel != 1
    ):
        return None
    words = np.frombuffer(raw, f"<u{image.bits_allocated // 8}")
    if words.size < image.rows * image.columns:
        return None
    plane: Mask = (words[: image.rows * image.columns].reshape(image.rows, image.columns) >> position & 1).astype(bool)
    return plane
