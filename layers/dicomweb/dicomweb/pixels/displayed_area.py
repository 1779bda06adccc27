"""The displayed area of an image, turned, flipped and scaled (PS3.3 C.10.4, C.10.6; PS3.18 §9.5.2.3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicomweb.dicom.json_model import DataSet, first, text_of
from dicomweb.dicom.presentation_states import find_item
from dicomweb.dicom.rendering import MAX_PIXELS, MAX_SIDE, Viewport
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.lookup_tables import number_of, numbers_of
from dicomweb.pixels.placing import Box, bounded, centred, scaled

Points = NDArray[np.float64]
"""(points, 2): x and y."""

_SELECTION, _TOP_LEFT, _BOTTOM_RIGHT = "0070005A", "00700052", "00700053"
_SIZE_MODE, _MAGNIFICATION = "00700100", "00700103"
_PIXEL_SPACING, _PIXEL_ASPECT_RATIO = "00700101", "00700102"
_ROTATION, _FLIP = "00700042", "00700041"
_MOST_UNEQUAL = 100  # times that a pixel may be longer than wide

# Image Rotation, clockwise → what pillow calls it, counterclockwise (PS3.3 C.10.6).
_TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


@dataclass(frozen=True, slots=True)
class DisplayedArea:
    """Which part of an image is shown, and how it lies.

    Attributes:
        box: pixels of the image before it is turned; parts of it may be outside.
        rotation: degrees clockwise, before the flip.
        is_flipped: left and right are exchanged.
        pixel_ratio: height of a pixel : its width.
        magnification: pixels of the picture for a pixel of the image; None: as many as there is room for.
    """

    box: Box
    rotation: int = 0
    is_flipped: bool = False
    pixel_ratio: float = 1.0
    magnification: float | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where things of an image are in its picture, in pixels; that at 0,0 begins at the picture's corner.

    Attributes:
        matrix: (2, 3), from pixels of the image.
        box: left, top, width and height of the displayed area.
    """

    matrix: Points
    box: Box

    def of_image(self, points: Points) -> Points:
        moved: Points = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return moved

    def of_display(self, points: Points) -> Points:
        """Of points in parts of the displayed area, as it lies in the picture."""
        moved: Points = points * self.box[2:] + self.box[:2]
        return moved


def read_displayed_area(state: DataSet, instance: str, frame: int, image: ImagePixel) -> DisplayedArea:
    """The displayed area of a frame; all of it where the state says none that can be."""
    item = (find_item(state, _SELECTION, instance, frame) or ({}, ""))[0]
    rotation = number_of(state, _ROTATION)
    magnification = number_of(item, _MAGNIFICATION) if text_of(item, _SIZE_MODE) == "MAGNIFY" else None
    return DisplayedArea(
        box=_box(item) or (0, 0, image.columns, image.rows),
        rotation=int(rotation) if rotation in _TURNS else 0,
        is_flipped=first(state, _FLIP) == "Y",
        pixel_ratio=_pixel_ratio(item),
        magnification=magnification if magnification and magnification > 0 else None,
    )


def show(picture: Image.Image, area: DisplayedArea, viewport: Viewport | None) -> tuple[Image.Image, Placement]:
    """The displayed area as a picture, as large as a viewport wants it, black where there is no image.

    What is magnified is cut to the viewport; anything else is scaled to fit in, and without a viewport a pixel of the
    image is a pixel of the picture (PS3.18 §9.5.2.3).

    Raises:
        BadRequest: the picture would be too large.
    """
    wanted = (None, None) if viewport is None else (viewport.width, viewport.height)
    across, down = area.box[2] - area.box[0], area.box[3] - area.box[1]
    magnification = _possible_magnification(area, across, down)
    if magnification:
        size = round(across * magnification), round(down * magnification * area.pixel_ratio)
    else:
        size = _fitting(across, down, area, wanted)
    canvas = _scaled_area(picture, area.box, bounded(max(1, size[0]), max(1, size[1])))
    matrix = np.array([[canvas.width / across, 0, 0], [0, canvas.height / down, 0]])
    matrix[:, 2] = -matrix[:, :2] @ area.box[:2]
    matrix, canvas = _turned(matrix, canvas, area)
    width, height = canvas.size
    if viewport and (viewport.is_exact or magnification):
        most = (wanted[0] or width, wanted[1] or height)
        canvas = centred(canvas, *(most if viewport.is_exact else (min(most[0], width), min(most[1], height))))
    left, top = (canvas.width - width) // 2, (canvas.height - height) // 2
    matrix[:, 2] += left, top
    return canvas, Placement(matrix, (left, top, width, height))


def _box(item: DataSet) -> Box | None:
    corners = [*numbers_of(item, _TOP_LEFT), *numbers_of(item, _BOTTOM_RIGHT)]
    found = [corner for corner in corners if corner is not None]
    if len(found) != 4 or len(corners) != 4:
        return None
    # Corners are those of the turned image, in columns and rows, from 1, of the image as it is.
    (left, right), (top, bottom) = sorted(found[::2]), sorted(found[1::2])
    across, down = right - left + 1, bottom - top + 1
    if max(across, down) > MAX_SIDE or across * down > MAX_PIXELS:
        return None
    return left - 1, top - 1, right, bottom


def _pixel_ratio(item: DataSet) -> float:
    for tag in (_PIXEL_SPACING, _PIXEL_ASPECT_RATIO):
        pair = [value for value in numbers_of(item, tag) if value is not None and value > 0]
        if len(pair) == 2 and 1 / _MOST_UNEQUAL <= pair[0] / pair[1] <= _MOST_UNEQUAL:
            return pair[0] / pair[1]
    return 1.0


def _possible_magnification(area: DisplayedArea, across: float, down: float) -> float | None:
    """None where there is none, or the picture would be larger than pictures are."""
    if area.magnification is None:
        return None
    width, height = across * area.magnification, down * area.magnification * area.pixel_ratio
    return area.magnification if max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS else None


def _fitting(across: float, down: float, area: DisplayedArea, wanted: tuple[int | None, int | None]) -> tuple[int, int]:
    """The size of an area that fits into a viewport, before it is turned."""
    if wanted == (None, None):
        return round(across), round(down)
    high = down * area.pixel_ratio
    along = wanted[::-1] if area.rotation in (90, 270) else wanted
    scale = min(most / side for most, side in zip(along, (across, high), strict=True) if most)
    return round(across * scale), round(high * scale)


def _scaled_area(picture: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    if box == (0, 0, picture.width, picture.height):
        return picture if size == picture.size else scaled(picture, size, box)
    canvas = Image.new(picture.mode, size)
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], picture.width), min(box[3], picture.height)
    if left < right and top < bottom:
        wide, high = size[0] / (box[2] - box[0]), size[1] / (box[3] - box[1])
        part = max(1, round((right - left) * wide)), max(1, round((bottom - top) * high))
        canvas.paste(
            scaled(picture, part, (left, top, right, bottom)),
            (round((left - box[0]) * wide), round((top - box[1]) * high)),
        )
    return canvas


def _turned(matrix: Points, canvas: Image.Image, area: DisplayedArea) -> tuple[Points, Image.Image]:
    """The picture turned and flipped, and where pixels of the image are in it."""
    width, height = canvas.size
    # x and y of the turned picture, each of x, y and 1 of the picture.
    turns = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, -1, height], [1, 0, 0]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, 1, 0], [-1, 0, width]],
    }
    turned = np.array(turns[area.rotation], np.float64) @ np.vstack([matrix, [0, 0, 1]])
    if area.rotation:
        canvas = canvas.transpose(_TURNS[area.rotation])
    if area.is_flipped:
        canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        turned[0] = [0, 0, canvas.width] - turned[0]
    return turned, canvas
