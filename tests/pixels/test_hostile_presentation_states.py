"""Presentation states that lie: there is a picture, or an error that says why, and never another exception."""

import copy
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.presentation_states import COLOR, GRAYSCALE, PSEUDO_COLOR, references_of
from dicomweb.dicom.rendering import Rendering, Viewport
from dicomweb.errors import DicomWebError
from dicomweb.pixels.presentation_state import State
from dicomweb.pixels.render import render_frame
from tests.builders import a_file
from tests.pixels.states import a_reference, a_state, a_table, an_image, source_of
from tests.pixels.test_graphics import CLOSED, a_box, a_graphic, drawn, written
from tests.pixels.test_presentation_state import (
    IN_CIRCLE,
    SHUTTER_EDGES,
    a_layer,
    a_palette,
    a_plane,
    a_window,
    an_area,
)  # fmt: skip


def a_rich_state(**attributes: Any) -> Dataset:
    """A state that has every module."""
    ramp = list(range(0, 65536, 257))
    state = a_state(
        RescaleSlope="1", RescaleIntercept="0",
        ModalityLUTSequence=[a_table(list(range(256)), 0, 8)],
        SoftcopyVOILUTSequence=[a_window(100, 50, VOILUTSequence=[a_table([0, 4095], 100, 12)], ReferencedImageSequence=[a_reference()])],
        PresentationLUTSequence=[a_table([0, 1023], 0, 10)],
        ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP"], **SHUTTER_EDGES,
        CenterOfCircularShutter=[8, 6], RadiusOfCircularShutter=4, VerticesOfThePolygonalShutter=[5, 3, 5, 12, 9, 12],
        ShutterOverlayGroup=0x6002, ShutterPresentationValue=0, ShutterPresentationColorCIELabValue=[1, 2, 3],
        ImageRotation=90, ImageHorizontalFlip="Y",
        **an_area([1, 1], [12, 12], PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=2.0),
        GraphicLayerSequence=[a_layer(GraphicLayerRecommendedDisplayCIELabValue=[40000, 50000, 20000])],
        GraphicAnnotationSequence=[
            drawn(
                a_graphic("POLYLINE", CLOSED, filled="Y"), a_graphic("POINT", [1, 2]), a_graphic("CIRCLE", [4, 4, 5, 6]),
                a_graphic("ELLIPSE", [1, 1, 9, 9, 4, 6, 6, 4]), a_graphic("INTERPOLATED", CLOSED),
                ReferencedImageSequence=[a_reference(frames=[1])],
            ),
            written("AB", **a_box(1, 1, 9, 9), AnchorPoint=[5.0, 5.0], AnchorPointAnnotationUnits="DISPLAY", AnchorPointVisibility="Y"),
        ],
        **a_palette(Red=ramp, Green=ramp, Blue=ramp),
        **attributes,
    )  # fmt: skip
    state.update(a_plane(IN_CIRCLE, 0x6000, "A"))
    state.update(a_plane(IN_CIRCLE, 0x6002))
    return state


SOURCES = [
    source_of(a_file(an_image()), a_file(a_rich_state(SOPClassUID=kind))) for kind in (GRAYSCALE, COLOR, PSEUDO_COLOR)
]
NUMBERS = st.one_of(
    st.integers(-(2**31), 2**31), st.integers(-3, 20), st.sampled_from([0, 1, 2**16, 2**53]),
    st.floats(allow_nan=False, allow_infinity=False, width=32), st.just("NaN"), st.just("Infinity"), st.none(),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["Y", "N", "PIXEL", "DISPLAY", "POLYLINE", "CIRCLE", "1e400", "-1", "9" * 400]), st.none(),
)  # fmt: skip
ATTRIBUTES = st.one_of(
    st.builds(lambda values: {"vr": "DS", "Value": values}, st.lists(TEXTS, max_size=6)),
    st.builds(lambda values: {"vr": "FL", "Value": values}, st.lists(NUMBERS, max_size=12)),
    st.builds(lambda items: {"vr": "SQ", "Value": items}, st.lists(st.just({}), max_size=2)),
    st.just({"vr": "OW", "BulkDataURI": "/nowhere"}),
    st.just({"vr": "FL", "BulkDataURI": "/nowhere"}),
    st.just({"vr": "CS"}),
)


def places(data_set: DataSet) -> Iterator[tuple[DataSet, str]]:
    """Every attribute at every depth."""
    for tag, attribute in data_set.items():
        yield data_set, tag
        for item in attribute.get("Value", ()) if attribute["vr"] == "SQ" else ():
            yield from places(item)


@settings(max_examples=600, deadline=None)
@given(
    source=st.sampled_from(SOURCES),
    changes=st.lists(st.tuples(st.integers(0, 10_000), ATTRIBUTES), min_size=1, max_size=4),
    viewport=st.sampled_from([None, Viewport(40, 40), Viewport(33, None), Viewport(64, 16, is_exact=True)]),
)
def test_attributes_that_lie(source: Any, changes: list[tuple[int, dict[str, Any]]], viewport: Viewport | None) -> None:
    metadata = copy.deepcopy(source.state.metadata)
    for number, attribute in changes:
        found = list(places(metadata))
        holder, tag = found[number % len(found)]
        holder[tag] = attribute
    list(references_of(metadata))
    try:
        picture = render_frame(
            replace(source, state=State(metadata, source.state.read_bulk)), Rendering(viewport=viewport)
        )
    except DicomWebError:
        return
    assert picture.image.size[0] * picture.image.size[1] <= 40_000_000


@pytest.mark.parametrize("seed", range(20))
def test_bulk_values_that_lie(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    for source in SOURCES:
        state = source.state
        assert state is not None

        def read_bulk(path: str, read: Any = state.read_bulk) -> bytes:
            content: bytes = read(path)
            return chance.choice([content, b"", content[: len(content) // 2], chance.randbytes(len(content) + 3)])

        try:
            render_frame(replace(source, state=State(state.metadata, read_bulk)), Rendering())
        except DicomWebError:
            continue


@pytest.mark.parametrize(
    "annotations",
    [
        [drawn(*[a_graphic("POLYLINE", CLOSED, filled="Y")] * 3000)],
        [drawn(a_graphic("INTERPOLATED", [float(value % 97) for value in range(16_000)], filled="Y"))] * 3,
        [
            drawn(
                a_graphic("POLYLINE", [float(value % 97) * 1e20 * (-1) ** value for value in range(16_000)], filled="Y")
            )
        ],
        [drawn(a_graphic("POLYLINE", [float(value % 97) for value in range(50_000)], filled="Y"))],
        [written("W" * 500 + "\r\n" * 200, **a_box(1, 1, 1e9, 1e9))] * 50,
        [written("W" * 50, **a_box(1, 1, 2, 2))] * 2000,
    ],
)
def test_too_much_is_left_out(annotations: list[Dataset]) -> None:
    # Implicit: the length of FL has 16 bits otherwise.
    state = a_file(a_state(GraphicAnnotationSequence=annotations), transfer_syntax=ImplicitVRLittleEndian)
    source = source_of(a_file(an_image(np.zeros((512, 512), "<u2"))), state)
    assert render_frame(source, Rendering(viewport=Viewport(1024, 1024))).image.size == (1024, 1024)
