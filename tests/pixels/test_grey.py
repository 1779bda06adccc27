"""Stored values to grey levels, against the formulas in float64."""

import math
import tracemalloc
from array import array
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dicomweb.dicom.rendering import LINEAR, LINEAR_EXACT, SIGMOID, Window
from dicomweb.pixels.grey import to_grey
from dicomweb.pixels.lookup_tables import LookupTable
from dicomweb.pixels.presentation import Presentation

SIGNED = np.arange(-2048, 2048, dtype="<i2").reshape(64, 64)
UNSIGNED = np.arange(4096, dtype="<u2").reshape(64, 64)


def linear(x: float, center: float, width: float) -> float:
    """PS3.3 C.11.2.1.2.1, word by word."""
    if x <= center - 0.5 - (width - 1) / 2:
        return 0
    if x > center - 0.5 + (width - 1) / 2:
        return 255
    return ((x - (center - 0.5)) / (width - 1) + 0.5) * 255


def linear_exact(x: float, center: float, width: float) -> float:
    """PS3.3 C.11.2.1.3.2."""
    if x <= center - width / 2:
        return 0
    if x > center + width / 2:
        return 255
    return ((x - center) / width + 0.5) * 255


def sigmoid(x: float, center: float, width: float) -> float:
    """PS3.3 C.11.2.1.3.1."""
    return 255 / (1 + math.exp(-4 * (x - center) / width))


FORMULAS = {LINEAR: linear, LINEAR_EXACT: linear_exact, SIGMOID: sigmoid}


@pytest.mark.parametrize("pixels", [SIGNED, UNSIGNED, UNSIGNED.astype("<u4"), SIGNED.astype("<i4"), SIGNED / 3])
@pytest.mark.parametrize("modality", [(1.0, 0.0), (1.0, -1024.0), (0.5, 3.5), (-1.0, 100.0)])
@pytest.mark.parametrize(
    ("center", "width", "function"),
    [
        (40, 400, LINEAR), (0, 1, LINEAR), (128, 256, LINEAR), (1000.5, 2.5, LINEAR), (-500, 1500, LINEAR),
        (40, 400, LINEAR_EXACT), (0, 0.5, LINEAR_EXACT), (0, 1, LINEAR_EXACT),
        (40, 400, SIGMOID), (0, 0.1, SIGMOID), (1e6, 1, SIGMOID),
    ],
)  # fmt: skip
def test_windows(
    pixels: NDArray[Any], modality: tuple[float, float], center: float, width: float, function: str
) -> None:
    grey = to_grey(pixels, Presentation(modality=modality, voi=Window(center, width, function)))
    formula, (slope, intercept) = FORMULAS[function], modality
    outputs = pixels.astype(np.float64).ravel() * slope + intercept
    expected = np.array(
        [formula(x, center, width) if abs(x - center) / width < 100 else 255.0 * (x > center) for x in outputs]
    )
    assert np.abs(grey.ravel() - expected).max() <= 0.5 + 1e-9  # rounded, and nothing else


def a_table(*entries: int, first: int = 0, bits: int = 8) -> LookupTable:
    return LookupTable(first, bits, array("H", entries))


VALUES = np.array([[-3, -1, 0], [1, 2, 9]], "<i2")
IDENTITY = Presentation().modality


@pytest.mark.parametrize(
    ("presentation", "expected"),
    [
        # Nothing said: the range of the frame is black to white.
        (Presentation(), [[0, 42, 64], [85, 106, 255]]),
        # Least values white (MONOCHROME1).
        (Presentation(is_inverse=True), [[255, 212, 191], [170, 149, 0]]),
        # Inputs below the first entry have the first one, those above the last (PS3.3 C.11.2.1.1).
        (Presentation(voi=a_table(10, 20, 30, first=-1)), [[10, 10, 20], [30, 30, 30]]),
        # 12 bits of output are scaled to 8.
        (Presentation(voi=a_table(0, 2048, 4095, bits=12)), [[0, 0, 0], [128, 255, 255]]),
        # A Modality LUT, then a window.
        (
            Presentation(modality=a_table(100, 200, 300, bits=16), voi=Window(200, 200, LINEAR_EXACT)),
            [[0, 0, 0], [128, 255, 255]],
        ),
        # A Modality LUT that goes down, and nothing else: its outputs are black to white.
        (Presentation(modality=a_table(300, 200, 100, bits=16)), [[255, 255, 255], [128, 0, 0]]),
        # What pads the image is no part of its range (PS3.3 C.7.5.1.1.2).
        (Presentation(padding=(9, 9)), [[0, 102, 153], [204, 255, 255]]),
        (Presentation(padding=(-3, -1)), [[0, 0, 0], [28, 57, 255]]),
        # A range that the object says.
        (Presentation(extent=(0, 10)), [[0, 0, 0], [26, 51, 230]]),
        # P-Values are made of what the VOI LUT gives (PS3.3 C.11.6).
        (Presentation(voi=Window(0, 2, LINEAR_EXACT), shape=a_table(255, 128, 0)), [[255, 255, 128], [0, 0, 0]]),
    ],
)
def test_tables_and_ranges(presentation: Presentation, expected: list[list[int]]) -> None:
    assert to_grey(VALUES, presentation).tolist() == expected


def test_a_frame_of_one_value_is_black() -> None:
    assert to_grey(np.full((2, 2), 7, "<u2"), Presentation()).tolist() == [[0, 0], [0, 0]]


def test_what_is_no_number_is_black() -> None:
    pixels = np.array([[math.nan, -math.inf, 0.0, 1.0, math.inf]])
    assert to_grey(pixels, Presentation()).tolist() == [[0, 0, 0, 255, 255]]


@pytest.mark.parametrize("dtype", ["<u1", "<i1", "<u2", "<i2", "<u4", "<i4", "<f4"])
def test_the_whole_range_of_each_kind_of_pixel(dtype: str) -> None:
    kind = np.dtype(dtype)
    low, high = (-1e6, 1e6) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    assert to_grey(np.array([[low, high]], kind), Presentation()).tolist() == [[0, 255]]


def test_a_large_frame_is_not_held_in_float64() -> None:
    pixels = np.arange(16_000_000, dtype="<u4").reshape(4000, 4000)
    tracemalloc.start()
    grey = to_grey(pixels, Presentation())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * pixels.size
    assert (grey[0, 0], grey[-1, -1]) == (0, 255)
