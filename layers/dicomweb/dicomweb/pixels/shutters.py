"""Display shutters: what is around the part of an image that is shown (PS3.3 C.7.6.11, C.7.6.15, C.11.12)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from dicomweb.dicom.json_model import DataSet, first
from dicomweb.pixels.device_colours import BLACK, Colour, read_colour
from dicomweb.pixels.lookup_tables import ReadBulk, number_of, numbers_of
from dicomweb.pixels.overlays import Mask, Overlay, placed, read_overlay

_SHAPE, _OVERLAY_GROUP = "00181600", "00181623"
_EDGES = ("00181602", "00181604", "00181606", "00181608")  # left, right, upper, lower
_CENTER, _RADIUS, _VERTICES = "00181610", "00181612", "00181620"
_VALUE, _CIELAB = "00181622", "00181624"
_MOST_VERTICES = 10_000
_FARTHEST = 1_000_000.0  # pixels; what is beyond is drawn there


@dataclass(frozen=True, slots=True)
class Shutter:
    """What is shown is inside every shape, and not in the bitmap. Rows and columns are counted from 1.

    Attributes:
        rectangle: the first and last column, and the first and last row shown.
        circle: row and column of the center, radius in widths of a pixel.
        polygon: (column, row) of each vertex.
        bitmap: pixels that are not shown.
        colour: of what is not shown.
    """

    rectangle: tuple[float, ...] = ()
    circle: tuple[float, ...] = ()
    polygon: tuple[tuple[float, float], ...] = ()
    bitmap: Overlay | None = None
    colour: Colour = BLACK


def read_shutter(metadata: DataSet, frame: int, read_bulk: ReadBulk) -> Shutter | None:
    """The shutter of a presentation state; shapes that are broken are left out."""
    shapes = metadata.get(_SHAPE, {}).get("Value", ())
    if not shapes:
        return None
    return Shutter(
        rectangle=_rectangle(metadata) if "RECTANGULAR" in shapes else (),
        circle=_circle(metadata) if "CIRCULAR" in shapes else (),
        polygon=_polygon(metadata) if "POLYGONAL" in shapes else (),
        bitmap=_bitmap(metadata, frame, read_bulk) if "BITMAP" in shapes else None,
        colour=read_colour(metadata, _VALUE, _CIELAB) or BLACK,
    )


def hidden_by(shutter: Shutter, rows: int, columns: int, pixel_ratio: float) -> Mask:
    """Where an image is not shown, (rows, columns).

    Args:
        pixel_ratio: height of a pixel : its width.
    """
    hidden = np.zeros((rows, columns), bool)
    row, column = np.ogrid[1 : rows + 1, 1 : columns + 1]
    if shutter.rectangle:
        left, right, upper, lower = shutter.rectangle
        hidden |= (column < left) | (column > right) | (row < upper) | (row > lower)
    if shutter.circle:
        center_row, center_column, radius = shutter.circle
        hidden |= ((row - center_row) * pixel_ratio) ** 2 + (column - center_column) ** 2 > radius**2
    if shutter.polygon:
        shown = Image.new("L", (columns, rows))
        ImageDraw.Draw(shown).polygon([(x - 1, y - 1) for x, y in shutter.polygon], fill=1, outline=1)
        hidden |= np.asarray(shown) == 0
    if shutter.bitmap is not None and shutter.bitmap.bits is not None:
        hidden |= placed(shutter.bitmap.bits, shutter.bitmap.origin, rows, columns)
    return hidden


def _rectangle(metadata: DataSet) -> tuple[float, ...]:
    edges = [number_of(metadata, tag) for tag in _EDGES]
    found = tuple(edge for edge in edges if edge is not None)
    return found if len(found) == 4 and found[0] <= found[1] and found[2] <= found[3] else ()


def _circle(metadata: DataSet) -> tuple[float, ...]:
    values = tuple(_within(value) for value in [*numbers_of(metadata, _CENTER), number_of(metadata, _RADIUS)])
    return tuple(value for value in values if value is not None) if len(values) == 3 and None not in values else ()


def _polygon(metadata: DataSet) -> tuple[tuple[float, float], ...]:
    values = [_within(value) for value in numbers_of(metadata, _VERTICES)[: _MOST_VERTICES * 2]]
    pairs = zip(values[1::2], values[::2], strict=False)  # a vertex is row\column
    found = tuple((x, y) for x, y in pairs if x is not None and y is not None)
    return found if len(found) >= 3 else ()


def _bitmap(metadata: DataSet, frame: int, read_bulk: ReadBulk) -> Overlay | None:
    group = first(metadata, _OVERLAY_GROUP)
    return read_overlay(metadata, f"{group:04X}", frame, read_bulk) if isinstance(group, int) else None


def _within(value: float | None) -> float | None:
    return None if value is None else min(max(value, -_FARTHEST), _FARTHEST)
