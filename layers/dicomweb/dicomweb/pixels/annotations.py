"""Text burned into pictures on request (PS3.18 §8.3.5.1.1)."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from dicomweb.dicom.json_model import DataSet, first, text_of
from dicomweb.dicom.rendering import PATIENT, TECHNIQUE
from dicomweb.pixels.lookup_tables import number_of

_LINES = 32  # how many lines of text would fill a picture
_LEAST_FONT = 9  # pixels
_MOST_LETTERS = 64  # of a line

# What is said of how an image was made: attribute → text (PS3.3 C.7.5.1, C.8).
_TECHNIQUE = {
    "00080060": "{}", "00080070": "{}", "00081090": "{}", "0008103E": "{}", "00180015": "{}",
    "00180060": "{} kV", "00181151": "{} mA", "00181152": "{} mAs", "00181150": "{} ms",
    "00180080": "TR {} ms", "00180081": "TE {} ms", "00181314": "Flip {}°", "00180050": "{} mm",
    "00180010": "{}",
}  # fmt: skip


def annotate(picture: Image.Image, annotations: tuple[str, ...], metadata: DataSet) -> Image.Image:
    """A picture with text in its corners; the same one when there is nothing to say."""
    if PATIENT in annotations:
        picture = _written(picture, list(_patient(metadata)), at_right=False)
    if TECHNIQUE in annotations:
        picture = _written(picture, list(_technique(metadata)), at_right=True)
    return picture


def _patient(metadata: DataSet) -> Iterator[str]:
    names = first(metadata, "00100010")
    groups = names.values() if isinstance(names, dict) else ()
    yield next((" ".join(group.replace("^", " ").split()) for group in groups if isinstance(group, str)), "")
    yield text_of(metadata, "00100020")
    born, sex = text_of(metadata, "00100030"), text_of(metadata, "00100040")
    yield " ".join(filter(None, (f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 else born, sex)))
    taken = text_of(metadata, "00080020")
    yield f"{taken[:4]}-{taken[4:6]}-{taken[6:]}" if len(taken) == 8 else taken


def _technique(metadata: DataSet) -> Iterator[str]:
    for tag, text in _TECHNIQUE.items():
        if value := text_of(metadata, tag):
            yield text.format(value)
    center, width = number_of(metadata, "00281050"), number_of(metadata, "00281051")
    if center is not None and width is not None:
        yield f"C {center:g} W {width:g}"


def _written(picture: Image.Image, lines: list[str], *, at_right: bool) -> Image.Image:
    text = "\n".join(line[:_MOST_LETTERS] for line in lines if line)
    if not text:
        return picture
    written = picture.copy()
    draw = ImageDraw.Draw(written)
    size = max(_LEAST_FONT, min(picture.size) // _LINES)
    margin = size // 2
    place: dict[str, Any] = (
        {"xy": (picture.width - margin, margin), "anchor": "ra", "align": "right"}
        if at_right
        else {"xy": (margin, margin), "anchor": "la"}
    )
    white, black = (255, 0) if picture.mode == "L" else ((255, 255, 255), (0, 0, 0))
    # An outline keeps the text readable on any background.
    draw.multiline_text(text=text, font=font_of(size), fill=white, stroke_width=1, stroke_fill=black, **place)
    return written


@lru_cache(maxsize=32)
def font_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font of all text, so many pixels high."""
    return ImageFont.load_default(size)
