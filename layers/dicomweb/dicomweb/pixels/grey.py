"""Stored values to grey levels: Modality LUT, VOI LUT, Presentation LUT (PS3.3 C.11.1, C.11.2, C.11.6; PS3.4 N.2)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomweb.dicom.rendering import LINEAR, LINEAR_EXACT, SIGMOID, Window
from dicomweb.pixels.decode import Pixels
from dicomweb.pixels.lookup_tables import LookupTable
from dicomweb.pixels.presentation import Presentation

Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]

WHITE = 255
_PIXELS_AT_ONCE = 1024 * 1024
_TABLE_BITS = 16  # stored values of up to so many bits go through one table


def to_grey(pixels: Pixels, presentation: Presentation) -> Levels:
    """The grey level of each pixel, 0 black, 255 white.

    Args:
        pixels: stored values, (rows, columns); integers or floats.
    """
    if presentation.voi is None:
        presentation = replace(presentation, extent=_extent(pixels, presentation))
    if pixels.dtype.kind == "f" or pixels.dtype.itemsize * 8 > _TABLE_BITS:
        return _by_rows(pixels, presentation)
    low, high = int(pixels.min()), int(pixels.max())
    # Each stored value is looked at once; those below 0 stand where their two's complement is.
    values = np.arange(low, high + 1)
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    table = np.zeros(1 << unsigned.itemsize * 8, np.uint8)
    table[values.astype(unsigned)] = _levels(values.astype(np.float64), presentation)
    return np.take(table, pixels.view(unsigned))


def _by_rows(pixels: Pixels, presentation: Presentation) -> Levels:
    """Some rows at a time: as float64 a frame is many times as large."""
    levels = np.empty(pixels.shape, np.uint8)
    black = np.nanmin(pixels, initial=0) if pixels.dtype.kind == "f" else 0
    at_once = max(1, _PIXELS_AT_ONCE // pixels.shape[1])
    for start in range(0, len(pixels), at_once):
        values = np.nan_to_num(pixels[start : start + at_once].astype(np.float64), copy=False, nan=black)
        levels[start : start + at_once] = _levels(values, presentation)
    return levels


def _levels(values: Floats, presentation: Presentation) -> Levels:
    """Grey levels of stored values."""
    outputs = rescaled(values, presentation.modality)
    if isinstance(presentation.voi, Window):
        shown = windowed(outputs, presentation.voi)
    elif presentation.voi is not None:
        shown = _through(outputs, presentation.voi)
    else:
        shown = _stretched(outputs, *(presentation.extent or (0, 0)))
    if presentation.shape is not None:
        table = presentation.shape
        shown = _through(np.rint(shown * (len(table.entries) - 1)) + table.first, table)
    if presentation.is_inverse:
        shown = 1 - shown
    return np.rint(shown * WHITE).astype(np.uint8)


def rescaled(values: Floats, modality: LookupTable | tuple[float, float]) -> Floats:
    """Stored values through the Modality LUT (PS3.3 C.11.1)."""
    if isinstance(modality, LookupTable):
        return _looked_up(values, modality)
    slope, intercept = modality
    return values * slope + intercept


def windowed(values: Floats, window: Window) -> Floats:
    """Values through a window, to 0 to 1 (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    return _FUNCTIONS[window.function](values, window.center, window.width)


def _linear(values: Floats, center: float, width: float) -> Floats:
    middle = center - 0.5
    if width == 1:
        return (values > middle).astype(np.float64)
    return np.clip((values - middle) / (width - 1) + 0.5, 0, 1)


def _linear_exact(values: Floats, center: float, width: float) -> Floats:
    return np.clip((values - center) / width + 0.5, 0, 1)


def _sigmoid(values: Floats, center: float, width: float) -> Floats:
    # Beyond ±40 the function is 0 or 1 in every digit.
    return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -40, 40)))


_FUNCTIONS: dict[str, Callable[[Floats, float, float], Floats]] = {
    LINEAR: _linear,
    LINEAR_EXACT: _linear_exact,
    SIGMOID: _sigmoid,
}


def _extent(pixels: Pixels, presentation: Presentation) -> tuple[float, float]:
    if presentation.extent is not None:
        return presentation.extent
    image: NDArray[Any] = pixels
    if presentation.padding is not None:
        low, high = presentation.padding
        image = pixels[(pixels < low) | (pixels > high)]
    elif pixels.dtype.kind == "f":
        image = pixels[np.isfinite(pixels)]
    if not image.size:
        return 0, 0
    ends = rescaled(np.array([image.min(), image.max()], np.float64), presentation.modality)
    if isinstance(presentation.modality, LookupTable):  # which may go up and down
        ends = rescaled(np.unique(image).astype(np.float64), presentation.modality)
    return float(ends.min()), float(ends.max())


def _stretched(values: Floats, low: float, high: float) -> Floats:
    return np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)


def _through(values: Floats, table: LookupTable) -> Floats:
    """Values through a table, to 0 to 1."""
    return _looked_up(values, table) / ((1 << table.bits) - 1)


def _looked_up(values: Floats, table: LookupTable) -> Floats:
    entries = np.frombuffer(table.entries, np.uint16).astype(np.float64)
    places = np.clip(np.rint(values) - table.first, 0, len(entries) - 1)
    outputs: Floats = entries[places.astype(np.intp)]
    return outputs
