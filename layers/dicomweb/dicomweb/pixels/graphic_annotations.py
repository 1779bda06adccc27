"""Text and graphics of presentation states, in the order of their layers (PS3.3 C.10.5, C.10.7). Pure."""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from dicomweb.dicom.json_model import DataSet, first, items_of, text_of
from dicomweb.dicom.presentation_states import find_items
from dicomweb.pixels.device_colours import WHITE, Colour, read_colour
from dicomweb.pixels.lookup_tables import ReadBulk, number_of, numbers_of

POINT, POLYLINE, INTERPOLATED, CIRCLE, ELLIPSE = "POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE"

_ANNOTATIONS, _TEXTS, _GRAPHICS, _LAYERS = "00700001", "00700008", "00700009", "00700060"
_LAYER, _LAYER_ORDER = "00700002", "00700062"
_GREY, _RGB, _CIELAB = "00700066", "00700067", "00700401"  # recommended for a layer
_UNITS, _DATA, _TYPE, _FILLED = "00700005", "00700022", "00700023", "00700024"
_BOX_UNITS, _ANCHOR_UNITS, _TEXT = "00700003", "00700004", "00700006"
_TOP_LEFT, _BOTTOM_RIGHT, _JUSTIFICATION = "00700010", "00700011", "00700012"
_ANCHOR, _ANCHOR_VISIBILITY = "00700014", "00700015"

# Units → whether they are parts of the displayed area. MATRIX is of tiled images alone.
_RELATIVE = {"PIXEL": False, "DISPLAY": True}
# How many points a graphic of each type has.
_COUNTS = {
    POINT: range(1, 2), POLYLINE: range(2, 20_000), INTERPOLATED: range(2, 20_000), CIRCLE: range(2, 3),
    ELLIPSE: range(4, 5),
}  # fmt: skip
_MOST_OBJECTS = 1000  # of a frame, of texts and of graphics; what comes later is left out
_MOST_POINTS = 20_000  # of all graphics of a frame
_MOST_LETTERS = 20_000  # of all texts of a frame
_FARTHEST = 1_000_000.0  # pixels; what is beyond is drawn there

Point = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Layer:
    order: float = 0
    colour: Colour = WHITE


@dataclass(frozen=True, slots=True)
class Graphic:
    """A drawing.

    Attributes:
        points: x and y; when is_relative in parts of the displayed area, else in pixels of the image.
    """

    kind: str
    points: tuple[Point, ...]
    is_relative: bool
    is_filled: bool = False
    layer: Layer = Layer()

    @property
    def is_possible(self) -> bool:
        return len(self.points) in _COUNTS.get(self.kind, ())


@dataclass(frozen=True, slots=True)
class Text:
    """A text in a box, or beside an anchor point.

    Attributes:
        box: its corners, () for none; anchor: the point it is about.
        justification: LEFT, CENTER or RIGHT, in the box.
    """

    text: str
    box: tuple[Point, ...] = ()
    is_box_relative: bool = False
    anchor: Point | None = None
    is_anchor_relative: bool = False
    is_anchor_visible: bool = False
    justification: str = "LEFT"
    layer: Layer = Layer()

    @property
    def is_possible(self) -> bool:
        return bool(self.text and (self.box or self.anchor))


Drawing = Graphic | Text


def read_layers(state: DataSet) -> dict[str, Layer]:
    """The graphic layers by name."""
    return {text_of(item, _LAYER): _layer(item) for item in items_of(state, _LAYERS)}


def read_drawings(
    state: DataSet, instance: str, frame: int, layers: dict[str, Layer], read_bulk: ReadBulk
) -> tuple[Drawing, ...]:
    """What is drawn on a frame, the lowest layer first; what is broken, or too much, is left out."""
    annotations = [
        (item, path, layers.get(text_of(item, _LAYER), Layer()))
        for item, path in find_items(state, _ANNOTATIONS, instance, frame)
    ]
    graphics = (graphic for annotation in annotations for graphic in _graphics(*annotation, read_bulk))
    texts = (text for item, _, layer in annotations for text in _texts(item, layer))
    drawings: list[Drawing] = [
        *(each for each in _affordable(graphics, lambda each: len(each.points), _MOST_POINTS) if each.is_possible),
        *(each for each in _affordable(texts, lambda each: len(each.text), _MOST_LETTERS) if each.is_possible),
    ]
    return tuple(sorted(drawings, key=lambda each: each.layer.order))


def _layer(item: DataSet) -> Layer:
    return Layer(number_of(item, _LAYER_ORDER) or 0, read_colour(item, _GREY, _CIELAB, _RGB) or WHITE)


def _graphics(annotation: DataSet, path: str, layer: Layer, read_bulk: ReadBulk) -> Iterator[Graphic]:
    for number, item in enumerate(items_of(annotation, _GRAPHICS), 1):
        units = text_of(item, _UNITS)
        yield Graphic(
            kind=text_of(item, _TYPE) if units in _RELATIVE else "",
            points=_points(_floats(item, _DATA, f"{path}{_GRAPHICS}/{number}/", read_bulk)),
            is_relative=_RELATIVE.get(units, False),
            is_filled=first(item, _FILLED) == "Y",
            layer=layer,
        )


def _texts(annotation: DataSet, layer: Layer) -> Iterator[Text]:
    for item in items_of(annotation, _TEXTS):
        box = _points([*numbers_of(item, _TOP_LEFT), *numbers_of(item, _BOTTOM_RIGHT)])
        anchor = _points(numbers_of(item, _ANCHOR))
        box_units, anchor_units = text_of(item, _BOX_UNITS), text_of(item, _ANCHOR_UNITS)
        yield Text(
            text=text_of(item, _TEXT),
            box=box if len(box) == 2 and box_units in _RELATIVE else (),
            is_box_relative=_RELATIVE.get(box_units, False),
            anchor=anchor[0] if anchor and anchor_units in _RELATIVE else None,
            is_anchor_relative=_RELATIVE.get(anchor_units, False),
            is_anchor_visible=first(item, _ANCHOR_VISIBILITY) == "Y",
            justification=text_of(item, _JUSTIFICATION),
            layer=layer,
        )


def _affordable(drawings: Iterable[T], cost: Callable[[T], int], most: int) -> Iterator[T]:
    """The first drawings that do not cost more than most; none is read behind them."""
    spent = 0
    for drawing in islice(drawings, _MOST_OBJECTS):
        spent += cost(drawing)
        if spent > most:
            return
        yield drawing


def _floats(item: DataSet, tag: str, path: str, read_bulk: ReadBulk) -> list[float | None]:
    """Values of FL; a long value is only referenced."""
    attribute = item.get(tag, {})
    if attribute.get("vr") != "FL" or "BulkDataURI" not in attribute:
        return numbers_of(item, tag)
    content = read_bulk(path + tag)
    count = len(content) // 4
    return numbers_of({tag: {"Value": struct.unpack(f"<{count}f", content[: count * 4])}}, tag)


def _points(values: list[float | None]) -> tuple[Point, ...]:
    """Pairs of numbers; none when one of them is none."""
    found = [min(max(value, -_FARTHEST), _FARTHEST) for value in values if value is not None]
    return tuple(zip(found[::2], found[1::2], strict=False)) if len(found) == len(values) else ()
