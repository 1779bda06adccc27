"""The picture of what has none: a sheet of paper, without letters."""

from PIL import Image, ImageDraw

_BACKGROUND, _SHEET, _LINE = 48, 200, 128  # grey levels
_LINES = (0.45, 0.55, 0.65, 0.75)  # how far down


def draw_icon(side: int) -> Image.Image:
    """A square icon.

    Args:
        side: in pixels.
    """
    icon = Image.new("L", (side, side), _BACKGROUND)
    draw = ImageDraw.Draw(icon)
    left, top, right, bottom, fold = (round(side * part) for part in (0.28, 0.18, 0.72, 0.82, 0.12))
    draw.polygon([(left, top), (right - fold, top), (right, top + fold), (right, bottom), (left, bottom)], fill=_SHEET)
    draw.polygon([(right - fold, top), (right, top + fold), (right - fold, top + fold)], fill=_LINE)
    for height in _LINES:
        draw.line([(left + fold, side * height), (right - fold, side * height)], fill=_LINE, width=max(1, side // 64))
    return icon
