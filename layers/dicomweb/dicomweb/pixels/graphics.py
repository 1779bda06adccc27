"""Text and graphics of presentation states drawn into pictures (PS3.3 C.10.5.1)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from dicomweb.pixels.annotations import font_of
from dicomweb.pixels.device_colours import ink, paintable
from dicomweb.pixels.displayed_area import Placement, Points
from dicomweb.pixels.graphic_annotations import (
    CIRCLE,
    ELLIPSE,
    INTERPOLATED,
    POINT,
    POLYLINE,
    Drawing,
    Graphic,
    Point,
    Text,
)  # fmt: skip

_THIN = 512  # a line is a pixel wide in pictures of so many pixels
_LEAST_FONT, _LARGEST_FONT = 9, 16  # pixels; how many of the largest letters fill a picture
_STEPS = 8  # parts of a curve between two points
_ROUND = 90  # corners of a circle
_MARGIN = 2  # pictures around a picture; what is drawn farther off is drawn there
# Justification → the place in the box, 0 left and 1 right, and pillow's names for it.
_JUSTIFICATIONS = {"LEFT": (0.0, "la", "left"), "CENTER": (0.5, "ma", "center"), "RIGHT": (1.0, "ra", "right")}


def draw(picture: Image.Image, drawings: tuple[Drawing, ...], placement: Placement) -> Image.Image:
    """A picture with drawings on it, the first one lowest; in colour when one of them is."""
    if not drawings:
        return picture
    drawn = paintable(picture.copy(), [drawing.layer.colour for drawing in drawings])
    pen = ImageDraw.Draw(drawn)
    for drawing in drawings:
        fill = ink(drawn, drawing.layer.colour)
        if isinstance(drawing, Graphic):
            _draw_graphic(pen, drawing, placement, fill)
        else:
            _draw_text(pen, drawing, placement, fill)
    return drawn


def _draw_graphic(pen: ImageDraw.ImageDraw, graphic: Graphic, placement: Placement, fill: Any) -> None:
    corners = _OUTLINES[graphic.kind](_moved(graphic.points, graphic.is_relative, placement))
    width = max(1, min(pen.im.size) // _THIN)
    # The middle of pillow's first pixel is at 0, ours at 0.5.
    outline = [(x, y) for x, y in _near(corners - 0.5, pen).tolist()]
    if graphic.kind == POINT:
        (x, y), radius = outline[0], width
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
        return
    if graphic.is_filled and len(outline) > 2:
        pen.polygon(outline, fill=fill)
    pen.line(outline, fill=fill, width=width, joint="curve" if width > 1 else None)


def _draw_text(pen: ImageDraw.ImageDraw, text: Text, placement: Placement, fill: Any) -> None:
    lines = ["".join(char for char in line if char.isprintable()) for line in text.text.splitlines()]
    anchor = None if text.anchor is None else _moved((text.anchor,), text.is_anchor_relative, placement)
    largest = max(_LEAST_FONT, min(pen.im.size) // _LARGEST_FONT)
    size = max(_LEAST_FONT, min(pen.im.size) // (2 * _LARGEST_FONT))
    along, at, align = _JUSTIFICATIONS.get(text.justification, _JUSTIFICATIONS["LEFT"])
    if text.box:
        corners = _near(_moved(text.box, text.is_box_relative, placement), pen)
        (left, top), (right, bottom) = corners.min(0).tolist(), corners.max(0).tolist()
        size = int(min(max((bottom - top) / max(len(lines), 1) * 0.8, _LEAST_FONT), largest))
        place = (left + along * (right - left), top)
        if anchor is not None and text.is_anchor_visible:
            x, y = _near(anchor, pen)[0].tolist()
            pen.line([(min(max(x, left), right), min(max(y, top), bottom)), (x, y)], fill=fill)
    elif anchor is not None:
        x, y = _near(anchor, pen)[0].tolist()
        place, at, align = (x + size / 2, y), "la", "left"
        if text.is_anchor_visible:
            pen.ellipse((x - 1.5, y - 1.5, x + 0.5, y + 0.5), fill=fill)
    else:
        return
    outline = 0 if pen.mode == "L" else (0, 0, 0)
    # An outline keeps the text readable on any background.
    pen.multiline_text(
        place, "\n".join(lines), fill, font_of(size), anchor=at, align=align, stroke_width=1, stroke_fill=outline
    )


def _moved(points: tuple[Point, ...], is_relative: bool, placement: Placement) -> Points:
    array = np.array(points, np.float64)
    return placement.of_display(array) if is_relative else placement.of_image(array)


def _near(points: Points, pen: ImageDraw.ImageDraw) -> Points:
    """Points, those far outside the picture brought nearer: pillow walks along every pixel of a line."""
    size = np.array(pen.im.size, np.float64)
    near: Points = np.clip(points, -_MARGIN * size, (1 + _MARGIN) * size)
    return near


def _as_they_are(points: Points) -> Points:
    return points


def _curve(points: Points) -> Points:
    """A curve through points (Catmull-Rom), closed when the last one is the first."""
    if len(points) < 3:
        return points
    is_closed = np.allclose(points[0], points[-1])
    before, behind = (points[-2], points[1]) if is_closed else (points[0], points[-1])
    padded = np.vstack([before, points, behind])
    p0, p1, p2, p3 = (padded[start : len(padded) - 3 + start, None] for start in range(4))
    t = np.linspace(0, 1, _STEPS, endpoint=False)[None, :, None]
    curve = p1 + t / 2 * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    return np.vstack([curve.reshape(-1, 2), points[-1]])


def _circle(points: Points) -> Points:
    """Of a center and a point on the perimeter."""
    center, reach = points[0], points[1] - points[0]
    return _round(center, reach, np.array([-reach[1], reach[0]]))


def _ellipse(points: Points) -> Points:
    """Of the ends of the major and of the minor axis."""
    return _round((points[0] + points[1]) / 2, (points[1] - points[0]) / 2, (points[3] - points[2]) / 2)


def _round(center: Points, major: Points, minor: Points) -> Points:
    angles = np.linspace(0, 2 * np.pi, _ROUND + 1)[:, None]
    outline: Points = center + np.cos(angles) * major + np.sin(angles) * minor
    return outline


# Graphic Type → the corners of its outline.
_OUTLINES: dict[str, Callable[[Points], Points]] = {
    POINT: _as_they_are,
    POLYLINE: _as_they_are,
    INTERPOLATED: _curve,
    CIRCLE: _circle,
    ELLIPSE: _ellipse,
}
