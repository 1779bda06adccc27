"""Frames seen with a presentation state: each attribute a row, against pixels worked out by hand (PS3.4 N.2)."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicomweb.dicom.presentation_states import COLOR, PSEUDO_COLOR
from dicomweb.dicom.rendering import Rendering, Viewport
from tests.pixels.states import RAMP, a_reference, a_state, a_table, an_image, an_item, seen

ROW, COLUMN = np.mgrid[1:17, 1:17]
RED_CIELAB = [35579, 53664, 50858]  # L* 54.3, a* 80.8, b* 69.9 is red in sRGB
OTHERS = {"ReferencedImageSequence": [a_reference("1.2.3.1.2")]}
THIS = {"ReferencedImageSequence": [a_reference()]}
SIGNED = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}


def a_window(center: float, width: float, **attributes: Any) -> Dataset:
    return an_item(WindowCenter=str(center), WindowWidth=str(width), **attributes)


def linear(values: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    """PS3.3 C.11.2.1.2.1."""
    return np.rint(np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255)


INVERTED = 255 - RAMP


@pytest.mark.parametrize(
    ("image", "state", "expected"),
    [
        ({}, {}, RAMP),
        # The state decides which is white, not the image (PS3.4 N.2.1.3).
        ({}, {"PresentationLUTShape": "INVERSE"}, INVERTED),
        ({"PhotometricInterpretation": "MONOCHROME1"}, {}, RAMP),
        ({"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}, INVERTED),
        # What the state does not say is the identity, whatever the image says (PS3.4 N.2.1).
        ({"WindowCenter": "10", "WindowWidth": "5", "RescaleSlope": "7", "RescaleIntercept": "-9"}, {}, RAMP),
        ({"PixelPaddingValue": 0}, {}, RAMP),
        # Modality LUT: slope and intercept, or a table.
        (
            {},
            {"RescaleSlope": "2", "RescaleIntercept": "-100", "SoftcopyVOILUTSequence": [a_window(100, 201)]},
            linear(RAMP * 2.0 - 100, 100, 201),
        ),
        ({}, {"ModalityLUTSequence": [a_table(list(range(255, -1, -1)))]}, INVERTED),
        ({}, {"ModalityLUTSequence": [a_table([0, 65535], 128, 16)]}, np.where(RAMP <= 128, 0, 255)),
        # All that can be stored is black to white.
        (SIGNED, {}, np.rint((RAMP + 32768) / 65535 * 255)),
        (SIGNED, {"RescaleSlope": "-1", "RescaleIntercept": "0"}, np.rint((32767 - RAMP) / 65535 * 255)),
        # Softcopy VOI LUT: of all images, of this one, of another one.
        ({}, {"SoftcopyVOILUTSequence": [a_window(128, 100)]}, linear(RAMP, 128, 100)),
        ({}, {"SoftcopyVOILUTSequence": [a_window(9, 9, **OTHERS), a_window(128, 100, **THIS)]}, linear(RAMP, 128, 100)),
        ({}, {"SoftcopyVOILUTSequence": [a_window(9, 9, **OTHERS)]}, RAMP),
        (
            {},
            {"SoftcopyVOILUTSequence": [a_window(128, 100, VOILUTFunction="SIGMOID")]},
            np.rint(255 / (1 + np.exp(-4 * (RAMP - 128.0) / 100))),
        ),
        ({}, {"SoftcopyVOILUTSequence": [an_item(VOILUTSequence=[a_table([0, 4095], 100, 12)])]}, np.where(RAMP <= 100, 0, 255)),
        # Presentation LUT: P-Values of what the VOI LUT gives, over its whole range (PS3.3 C.11.4).
        ({}, {"PresentationLUTShape": None, "PresentationLUTSequence": [a_table(list(range(255, -1, -1)))]}, INVERTED),
        ({}, {"PresentationLUTShape": None, "PresentationLUTSequence": [a_table([0, 1023, 0], 0, 10)]},
         np.where((RAMP < 64) | (RAMP >= 192), 0, 255)),
        # Spatial transformation: clockwise, then left and right exchanged (PS3.3 C.10.6).
        ({}, {"ImageRotation": 90, "ImageHorizontalFlip": "N"}, np.rot90(RAMP, -1)),
        ({}, {"ImageRotation": 180, "ImageHorizontalFlip": "N"}, np.rot90(RAMP, 2)),
        ({}, {"ImageRotation": 270, "ImageHorizontalFlip": "N"}, np.rot90(RAMP, 1)),
        ({}, {"ImageRotation": 0, "ImageHorizontalFlip": "Y"}, RAMP[:, ::-1]),
        ({}, {"ImageRotation": 90, "ImageHorizontalFlip": "Y"}, np.rot90(RAMP, -1)[:, ::-1]),
        ({}, {"ImageRotation": 45, "ImageHorizontalFlip": "N"}, RAMP),
    ],
)  # fmt: skip
def test_grey_levels_and_how_they_lie(image: dict[str, Any], state: dict[str, Any], expected: NDArray[Any]) -> None:
    assert seen(an_image(**image), a_state(**state)).tolist() == expected.astype(int).tolist()


SHUTTER_EDGES: dict[str, Any] = {
    "ShutterLeftVerticalEdge": 3, "ShutterRightVerticalEdge": 12, "ShutterUpperHorizontalEdge": 5, "ShutterLowerHorizontalEdge": 9,
}  # fmt: skip
IN_RECTANGLE = (COLUMN >= 3) & (COLUMN <= 12) & (ROW >= 5) & (ROW <= 9)
IN_CIRCLE = (ROW - 8) ** 2 + (COLUMN - 6) ** 2 <= 16


def a_plane(mask: NDArray[Any], group: int = 0x6000, layer: str | None = None) -> Dataset:
    """The elements of an overlay plane as large as the image."""
    plane = Dataset()
    rows, columns = mask.shape
    plane.add_new((group, 0x0010), "US", rows)
    plane.add_new((group, 0x0011), "US", columns)
    plane.add_new((group, 0x0040), "CS", "G")
    plane.add_new((group, 0x0050), "SS", [1, 1])
    plane.add_new((group, 0x0100), "US", 1)
    plane.add_new((group, 0x0102), "US", 0)
    plane.add_new((group, 0x3000), "OW", np.packbits(mask.ravel(), bitorder="little").tobytes())
    if layer:
        plane.add_new((group, 0x1001), "CS", layer)
    return plane


@pytest.mark.parametrize(
    ("shutter", "shown"),
    [
        ({"ShutterShape": "RECTANGULAR", **SHUTTER_EDGES}, IN_RECTANGLE),
        ({"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [8, 6], "RadiusOfCircularShutter": 4}, IN_CIRCLE),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [5, 3, 5, 12, 9, 12, 9, 3]},
            IN_RECTANGLE,
        ),
        # The least amount of image remains (PS3.3 Table C.7-17a).
        (
            {
                "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
                **SHUTTER_EDGES,
                "CenterOfCircularShutter": [8, 6],
                "RadiusOfCircularShutter": 4,
            },
            IN_RECTANGLE & IN_CIRCLE,
        ),
        # What is broken is left out.
        ({"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 3}, ROW > 0),
        ({"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [8, 6]}, ROW > 0),
        ({"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [5, 3, 5]}, ROW > 0),
    ],
)
@pytest.mark.parametrize(("value", "level"), [(0, 0), (0xFFFF, 255), (0x8080, 128)])
def test_shutters(shutter: dict[str, Any], shown: NDArray[Any], value: int, level: int) -> None:
    state = a_state(**shutter, ShutterPresentationValue=value)
    assert seen(an_image(), state).tolist() == np.where(shown, RAMP, level).tolist()


def test_a_bitmap_shutter_hides_its_pixels() -> None:
    state = a_state(ShutterShape="BITMAP", ShutterOverlayGroup=0x6002, ShutterPresentationValue=0)
    state.update(a_plane(~IN_CIRCLE, 0x6002))
    assert seen(an_image(), state).tolist() == np.where(IN_CIRCLE, RAMP, 0).tolist()


def test_a_shutter_of_the_image_is_not_applied() -> None:
    image = an_image(ShutterShape="RECTANGULAR", **SHUTTER_EDGES)
    assert seen(image, a_state()).tolist() == RAMP.tolist()


def an_activation(layer: str) -> Dataset:
    activation = Dataset()
    activation.add_new((0x6000, 0x1001), "CS", layer)
    return activation


def cut_off(plane: Dataset) -> Dataset:
    plane[0x6000, 0x3000].value = b"\1\1"
    return plane


def a_layer(name: str = "A", order: int = 1, **attributes: Any) -> Dataset:
    return an_item(GraphicLayer=name, GraphicLayerOrder=order, **attributes)


@pytest.mark.parametrize(
    ("in_image", "in_state", "layers", "expected"),
    [
        # An overlay of the image without a layer is not shown, one with a layer is.
        (a_plane(IN_CIRCLE), Dataset(), [], RAMP),
        (a_plane(IN_CIRCLE), an_activation("A"), [a_layer()], np.where(IN_CIRCLE, 255, RAMP)),
        # One of the state comes in place of the image's.
        (a_plane(IN_RECTANGLE), a_plane(IN_CIRCLE, layer="A"), [a_layer()], np.where(IN_CIRCLE, 255, RAMP)),
        (Dataset(), a_plane(IN_CIRCLE), [], RAMP),
        # In the grey of its layer.
        (Dataset(), a_plane(IN_CIRCLE, layer="A"), [a_layer(GraphicLayerRecommendedDisplayGrayscaleValue=0x8080)],
         np.where(IN_CIRCLE, 128, RAMP)),
        # A plane that is cut off.
        (Dataset(), cut_off(a_plane(IN_CIRCLE, layer="A")), [a_layer()], RAMP),
    ],
)  # fmt: skip
def test_overlays(in_image: Dataset, in_state: Dataset, layers: list[Dataset], expected: NDArray[Any]) -> None:
    image, state = an_image(), a_state(**({"GraphicLayerSequence": layers} if layers else {}))
    image.update(in_image)
    state.update(in_state)
    assert seen(image, state).tolist() == expected.tolist()


def test_what_is_drawn_is_not_hidden_by_a_shutter() -> None:
    state = a_state(ShutterShape="RECTANGULAR", **SHUTTER_EDGES, ShutterPresentationValue=0)
    state.update(a_plane(~IN_RECTANGLE, layer="A"))
    assert (seen(an_image(), state)[~IN_RECTANGLE] == 255).all()


def an_area(top_left: list[int], bottom_right: list[int], **attributes: Any) -> dict[str, Any]:
    said = {"DisplayedAreaTopLeftHandCorner": top_left, "DisplayedAreaBottomRightHandCorner": bottom_right}
    mode = {"PresentationSizeMode": "SCALE TO FIT", "PresentationPixelAspectRatio": [1, 1]}
    return {"DisplayedAreaSelectionSequence": [an_item(**(said | mode | attributes))]}


AROUND = np.zeros((18, 18), int)
AROUND[1:17, 1:17] = RAMP


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (an_area([5, 3], [8, 9]), RAMP[2:9, 4:8]),
        (an_area([5, 3], [8, 9], PresentationSizeMode="TRUE SIZE"), RAMP[2:9, 4:8]),
        (an_area([5, 3], [8, 9], **OTHERS), RAMP),
        # Corners are those that are seen, in pixels of the image as it is stored.
        (an_area([5, 9], [8, 3]) | {"ImageRotation": 90, "ImageHorizontalFlip": "N"}, np.rot90(RAMP[2:9, 4:8], -1)),
        (an_area([8, 3], [5, 9]) | {"ImageRotation": 0, "ImageHorizontalFlip": "Y"}, RAMP[2:9, 4:8][:, ::-1]),
        # There is nothing around the image.
        (an_area([0, 0], [17, 17]), AROUND),
        (an_area([21, 21], [22, 22]), np.zeros((2, 2))),
        # What cannot be is left out.
        (an_area([5, 3], [2_000_000_000, 2_000_000_000]), RAMP),
        (an_area([-2_000_000_000, 3], [5, 4]), RAMP),
    ],
)
def test_displayed_areas(state: dict[str, Any], expected: NDArray[Any]) -> None:
    assert seen(an_image(), a_state(**state)).tolist() == expected.astype(int).tolist()


MAGNIFIED = {"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 3.0}
HUGE = {"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 1e30}
WIDE = {"PresentationPixelAspectRatio": [1, 2]}
SPACED = {"PresentationPixelAspectRatio": None, "PresentationPixelSpacing": ["1.0", "0.5"]}


@pytest.mark.parametrize(
    ("state", "viewport", "size"),
    [
        (an_area([1, 1], [16, 8]), None, (16, 8)),
        # As large as there is room for.
        (an_area([1, 1], [16, 8]), Viewport(64, 64), (64, 32)),
        (an_area([1, 1], [16, 8]), Viewport(64, None), (64, 32)),
        (an_area([1, 1], [16, 8]), Viewport(64, 64, is_exact=True), (64, 64)),
        (an_area([1, 1], [16, 8]) | {"ImageRotation": 90, "ImageHorizontalFlip": "N"}, Viewport(64, 64), (32, 64)),
        (an_area([1, 1], [16, 8]) | {"ImageRotation": 90, "ImageHorizontalFlip": "N"}, Viewport(None, 64), (32, 64)),
        # Pixels that are wider than high.
        (an_area([1, 1], [16, 16], **WIDE), Viewport(64, 64), (64, 32)),
        (an_area([1, 1], [16, 16], **SPACED), Viewport(64, 64), (32, 64)),
        # Magnified, then cut (PS3.18 §9.5.2.3).
        (an_area([1, 1], [16, 8], **MAGNIFIED), None, (48, 24)),
        (an_area([1, 1], [16, 8], **MAGNIFIED), Viewport(30, 64), (30, 24)),
        (an_area([1, 1], [16, 8], **MAGNIFIED), Viewport(30, 64, is_exact=True), (30, 64)),
        (an_area([1, 1], [16, 8], **HUGE), None, (16, 8)),
    ],
)
def test_sizes(state: dict[str, Any], viewport: Viewport | None, size: tuple[int, int]) -> None:
    state = {keyword: value for keyword, value in state.items() if value is not None}
    rows, columns = seen(an_image(), a_state(**state), Rendering(viewport=viewport)).shape
    assert (columns, rows) == size


def test_the_middle_of_what_is_magnified_is_kept() -> None:
    area = an_area([1, 1], [16, 16], PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=1.0)
    assert seen(an_image(), a_state(**area), Rendering(viewport=Viewport(4, 4))).tolist() == RAMP[6:10, 6:10].tolist()


def test_frames_have_their_own_window() -> None:
    image = an_image(NumberOfFrames=2, PixelData=np.concatenate([RAMP, RAMP]).astype("<u2").tobytes())
    windows = [
        a_window(100, 50, ReferencedImageSequence=[a_reference(frames=[1])]),
        a_window(200, 20, ReferencedImageSequence=[a_reference(frames=[2])]),
    ]
    state = a_state(SoftcopyVOILUTSequence=windows)
    assert seen(image, state, frame=1).tolist() == linear(RAMP, 100, 50).tolist()
    assert seen(image, state, frame=2).tolist() == linear(RAMP, 200, 20).tolist()


def a_palette(**colours: list[int]) -> dict[str, Any]:
    palette: dict[str, Any] = {}
    for colour, entries in colours.items():
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [len(entries), 0, 16]
        palette[f"{colour}PaletteColorLookupTableData"] = np.array(entries, "<u2").tobytes()
    return palette


def test_a_pseudo_color_state_colours_what_the_window_gives() -> None:
    ramp = [value * 257 for value in range(256)]
    palette = a_palette(Red=ramp, Green=[0] * 256, Blue=ramp[::-1])
    state = a_state(
        SOPClassUID=PSEUDO_COLOR, SoftcopyVOILUTSequence=[a_window(128, 100)], PresentationLUTShape=None, **palette
    )
    grey = linear(RAMP, 128, 100)
    assert seen(an_image(), state).tolist() == np.stack([grey, grey * 0, 255 - grey], -1).tolist()


RGB = np.stack([RAMP, 255 - RAMP, RAMP // 2], -1).astype("u1")
COLOUR_IMAGE: dict[str, Any] = {
    "SamplesPerPixel": 3, "BitsAllocated": 8, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0,
    "PixelData": RGB.tobytes(),
}  # fmt: skip


def test_a_color_state_leaves_the_colours() -> None:
    state = a_state(
        SOPClassUID=COLOR, PresentationLUTShape=None, ImageRotation=90, ImageHorizontalFlip="N",
        ShutterShape="RECTANGULAR", **SHUTTER_EDGES, ShutterPresentationValue=0, ShutterPresentationColorCIELabValue=RED_CIELAB,
    )  # fmt: skip
    expected = np.where(IN_RECTANGLE[..., None], RGB, np.array([255, 0, 0]))
    assert np.abs(seen(an_image(**COLOUR_IMAGE), state) - np.rot90(expected, -1)).max() <= 2
