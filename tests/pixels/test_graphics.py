"""Text and graphics of presentation states, against pixels worked out by hand (PS3.3 C.10.5)."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from dicomweb.dicom.rendering import Rendering, Viewport
from dicomweb.pixels.render import render_frame
from tests.builders import a_file
from tests.pixels.states import a_reference, a_state, an_image, an_item, seen, source_of

BLACK = np.zeros((32, 32), "<u2")
ROW, COLUMN = np.mgrid[0:32, 0:32]
CLOSED = [4.5, 4.5, 12.5, 4.5, 12.5, 10.5, 4.5, 10.5, 4.5, 4.5]
RED = [0xFFFF, 0, 0]


def a_graphic(kind: str, data: list[float], units: str = "PIXEL", filled: str = "N") -> Dataset:
    return an_item(
        GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2, GraphicData=data,
        GraphicType=kind, GraphicFilled=filled,
    )  # fmt: skip


def drawn(*graphics: Dataset, layer: str = "A", **attributes: Any) -> Dataset:
    return an_item(GraphicLayer=layer, GraphicObjectSequence=list(graphics), **attributes)


def written(text: str, **attributes: Any) -> Dataset:
    return an_item(GraphicLayer="A", TextObjectSequence=[an_item(UnformattedTextValue=text, **attributes)])


def a_box(left: float, top: float, right: float, bottom: float, units: str = "PIXEL") -> dict[str, Any]:
    return {
        "BoundingBoxAnnotationUnits": units, "BoundingBoxTopLeftHandCorner": [left, top],
        "BoundingBoxBottomRightHandCorner": [right, bottom], "BoundingBoxTextHorizontalJustification": "LEFT",
    }  # fmt: skip


def seen_with(*annotations: Dataset, rendering: Rendering | None = None, **attributes: Any) -> NDArray[Any]:
    return seen(an_image(BLACK), a_state(GraphicAnnotationSequence=list(annotations), **attributes), rendering)


def pixels(*places: tuple[int, int]) -> NDArray[Any]:
    """(row, column) of pixels that are white."""
    mask = np.zeros((32, 32), bool)
    mask[tuple(np.array(places).T)] = True
    return mask


RECTANGLE = (COLUMN >= 4) & (COLUMN <= 12) & (ROW >= 4) & (ROW <= 10)
INSIDE = (COLUMN > 4) & (COLUMN < 12) & (ROW > 4) & (ROW < 10)
LINE = (ROW == 8) & (COLUMN >= 4) & (COLUMN <= 12)
AWAY = (ROW - 15.5) ** 2 + (COLUMN - 15.5) ** 2


@pytest.mark.parametrize(
    ("graphic", "expected"),
    [
        # The middle of the first pixel is 0.5\0.5.
        (a_graphic("POLYLINE", [4.5, 8.5, 12.5, 8.5]), LINE),
        (a_graphic("POLYLINE", CLOSED), RECTANGLE & ~INSIDE),
        (a_graphic("POLYLINE", CLOSED, filled="Y"), RECTANGLE),
        (a_graphic("INTERPOLATED", [4.5, 8.5, 8.5, 8.5, 12.5, 8.5]), LINE),
        (a_graphic("POINT", [10.5, 20.5]), pixels((20, 10), (19, 10), (21, 10), (20, 9), (20, 11))),
        # In parts of the displayed area.
        (a_graphic("POLYLINE", [4.5 / 32, 8.5 / 32, 12.5 / 32, 8.5 / 32], "DISPLAY"), LINE),
        # What is broken is left out.
        (a_graphic("POLYLINE", [4.5, 8.5]), ROW < 0),
        (a_graphic("CIRCLE", [4.5, 8.5, 1.0, 2.0, 3.0, 4.0]), ROW < 0),
        (a_graphic("POLYLINE", [4.5, 8.5, float("nan"), 8.5]), ROW < 0),
        (a_graphic("POLYLINE", [4.5, 8.5, 12.5, 8.5], "MATRIX"), ROW < 0),
        (a_graphic("HEXAGON", [4.5, 8.5, 12.5, 8.5]), ROW < 0),
    ],
)
def test_graphics(graphic: Dataset, expected: NDArray[Any]) -> None:
    assert (seen_with(drawn(graphic)) == np.where(expected, 255, 0)).all()


@pytest.mark.parametrize(
    ("graphic", "across", "down"),
    [
        (a_graphic("CIRCLE", [16, 16, 26, 16]), 10, 10),  # a center, and a point on the perimeter
        (a_graphic("CIRCLE", [16, 16, 16, 6]), 10, 10),
        (a_graphic("ELLIPSE", [4, 16, 28, 16, 16, 10, 16, 22]), 12, 6),  # the ends of each axis
        (a_graphic("ELLIPSE", [16, 4, 16, 28, 10, 16, 22, 16]), 6, 12),
    ],
)
@pytest.mark.parametrize("filled", ["N", "Y"])
def test_round_graphics(graphic: Dataset, across: int, down: int, filled: str) -> None:
    graphic.GraphicFilled = filled
    white = seen_with(drawn(graphic)) == 255
    x, y = (COLUMN - 15.5) / across, (ROW - 15.5) / down
    outer, inner = np.hypot(x, y) <= 1 + 1.5 / min(across, down), np.hypot(x, y) < 1 - 1.5 / min(across, down)
    assert not white[~outer].any()
    assert white[inner].all() if filled == "Y" else not white[inner].any()
    assert abs(int(white.any(0).sum()) - 2 * across) <= 1
    assert abs(int(white.any(1).sum()) - 2 * down) <= 1


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        # Graphics in pixels of the image go with it, those in parts of the display do not (PS3.4 N.2.3).
        ({"ImageRotation": 90, "ImageHorizontalFlip": "N"}, np.rot90(LINE, -1) | np.flipud(np.eye(32, dtype=bool))),
        ({"ImageRotation": 180, "ImageHorizontalFlip": "Y"}, np.rot90(LINE, 2)[:, ::-1] | np.flipud(np.eye(32, dtype=bool))),
        ({"ImageRotation": 270, "ImageHorizontalFlip": "N"}, np.rot90(LINE, 1) | np.flipud(np.eye(32, dtype=bool))),
    ],
)  # fmt: skip
def test_graphics_of_turned_images(state: dict[str, Any], expected: NDArray[Any]) -> None:
    of_image = a_graphic("POLYLINE", [4.5, 8.5, 12.5, 8.5])
    of_display = a_graphic("POLYLINE", [0.5 / 32, 31.5 / 32, 31.5 / 32, 0.5 / 32], "DISPLAY")
    assert (seen_with(drawn(of_image, of_display), **state) == np.where(expected, 255, 0)).all()


def test_graphics_are_drawn_in_pixels_of_the_picture() -> None:
    graphic = a_graphic("POLYLINE", [4.5, 8.5, 12.5, 8.5])
    white = seen_with(drawn(graphic), rendering=Rendering(viewport=Viewport(320, 320))) == 255
    assert white.any(1).sum() == 1
    assert white.any(0).nonzero()[0][[0, -1]].tolist() == [44, 124]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        # The layer of the highest order is on top.
        ([("A", 1, 0xFFFF), ("B", 2, 0x8080)], 128),
        ([("A", 2, 0xFFFF), ("B", 1, 0x8080)], 255),
    ],
)
def test_layers(layers: list[tuple[str, int, int]], expected: int) -> None:
    sequence = [
        an_item(GraphicLayer=name, GraphicLayerOrder=order, GraphicLayerRecommendedDisplayGrayscaleValue=value)
        for name, order, value in layers
    ]
    graphic = a_graphic("POLYLINE", CLOSED, filled="Y")
    shown = seen_with(drawn(graphic, layer="A"), drawn(graphic, layer="B"), GraphicLayerSequence=sequence)
    assert shown[RECTANGLE].tolist() == [expected] * RECTANGLE.sum()


@pytest.mark.parametrize(
    "layer",
    [
        {"GraphicLayerRecommendedDisplayCIELabValue": [35579, 53664, 50858]},
        {"GraphicLayerRecommendedDisplayRGBValue": RED},
    ],
)
def test_a_layer_in_colour_makes_the_picture_one(layer: dict[str, Any]) -> None:
    sequence = [an_item(GraphicLayer="A", GraphicLayerOrder=1, **layer)]
    shown = seen_with(drawn(a_graphic("POLYLINE", CLOSED, filled="Y")), GraphicLayerSequence=sequence)
    assert np.abs(shown[RECTANGLE].astype(int) - [255, 0, 0]).max() <= 2
    assert not shown[~RECTANGLE].any()


def test_annotations_of_other_images_are_not_drawn() -> None:
    graphic = a_graphic("POLYLINE", CLOSED)
    assert not seen_with(drawn(graphic, ReferencedImageSequence=[a_reference("1.2.3.1.2")])).any()


LARGE = np.zeros((128, 128), "<u2")
TEXT_ROW, TEXT_COLUMN = np.mgrid[0:128, 0:128]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (a_box(10, 20, 60, 40), (TEXT_COLUMN >= 8) & (TEXT_COLUMN < 64) & (TEXT_ROW >= 18) & (TEXT_ROW < 42)),
        (a_box(60, 40, 10, 20), (TEXT_COLUMN >= 8) & (TEXT_COLUMN < 64) & (TEXT_ROW >= 18) & (TEXT_ROW < 42)),
        (
            a_box(10, 20, 120, 40) | {"BoundingBoxTextHorizontalJustification": "RIGHT"},
            (TEXT_COLUMN >= 80) & (TEXT_COLUMN < 123) & (TEXT_ROW >= 18) & (TEXT_ROW < 42),
        ),
        (
            a_box(0.5, 0.5, 1, 1, "DISPLAY"),
            (TEXT_COLUMN >= 62) & (TEXT_ROW >= 62),
        ),
        (
            {"AnchorPoint": [64.0, 64.0], "AnchorPointAnnotationUnits": "PIXEL", "AnchorPointVisibility": "N"},
            (TEXT_COLUMN >= 62) & (TEXT_ROW >= 55) & (TEXT_ROW < 75),
        ),
    ],
)
def test_text_stands_where_it_is_said_to(text: dict[str, Any], where: NDArray[Any]) -> None:
    white = seen(an_image(LARGE), a_state(GraphicAnnotationSequence=[written("AB", **text)])) > 128
    assert white.any()
    assert not white[~where].any()


def test_a_visible_anchor_is_joined_to_its_text() -> None:
    anchor = {"AnchorPoint": [100.5, 100.5], "AnchorPointAnnotationUnits": "PIXEL", "AnchorPointVisibility": "Y"}
    state = a_state(GraphicAnnotationSequence=[written("AB", **a_box(10, 20, 60, 40), **anchor)])
    white = seen(an_image(LARGE), state) == 255
    assert white[95:101, 90:101].any()


@pytest.mark.parametrize("text", [{}, {"AnchorPoint": [5.0]}, a_box(1, 2, 3, 4, "MILES")])
def test_text_without_a_place_is_left_out(text: dict[str, Any]) -> None:
    assert not seen_with(written("AB", **text)).any()


def test_a_graphic_of_more_points_than_metadata_hold_is_drawn() -> None:
    graphic = a_graphic("POLYLINE", [4.5, 8.5, 12.5, 8.5] * 4500)
    state = a_file(a_state(GraphicAnnotationSequence=[drawn(graphic)]), transfer_syntax=ImplicitVRLittleEndian)
    shown = render_frame(source_of(a_file(an_image(BLACK)), state), Rendering()).image
    assert (np.asarray(shown) == np.where(LINE, 255, 0)).all()
