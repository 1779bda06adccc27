"""Stored values to red, green and blue (PS3.3 C.7.6.3.1.2, C.7.6.3.1.5, C.7.6.19)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from dicomweb.errors import CannotTranscode
from dicomweb.pixels.decode import Pixels
from dicomweb.pixels.grey import WHITE, Levels, to_grey
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.lookup_tables import Palette
from dicomweb.pixels.presentation import Presentation
from dicomweb.pixels.segmented_palette import expand_segments


def to_rgb(pixels: Pixels, image: ImagePixel) -> Levels:
    """Colour samples as 8-bit RGB.

    Args:
        pixels: (rows, columns, 3), RGB or YBR_FULL, as image says.
    """
    levels = _to_bytes(pixels, image.bits_stored)
    if image.photometric_interpretation == "RGB":
        return levels
    if image.bits_stored <= 8:
        height, width = levels.shape[:2]
        return np.asarray(Image.frombytes("YCbCr", (width, height), levels.tobytes()).convert("RGB"))
    converted: Levels = convert_color_space(levels, "YBR_FULL", "RGB", per_frame=True)
    return converted


def palette_to_rgb(pixels: Pixels, presentation: Presentation) -> Levels:
    """Stored values through their palette; those below a supplemental one stay grey.

    Raises:
        CannotTranscode: the palette is broken.
    """
    palette = presentation.palette
    if palette is None:
        raise CannotTranscode("there is no palette")
    if palette.is_of_grey:
        levels = to_grey(pixels, replace(presentation, palette=None))
        colours = _colours(palette)
        shown: Levels = np.take(colours, np.rint(levels * ((len(colours) - 1) / WHITE)).astype(np.intp), axis=0)
        return shown
    coloured = _looked_up(pixels, palette)
    if not palette.is_supplemental:
        return coloured
    first = palette.descriptor[1]
    is_grey = pixels < first
    if not is_grey.any():
        return coloured
    grey = to_grey(np.where(is_grey, pixels, pixels[is_grey][0]), replace(presentation, palette=None))
    mixed: Levels = np.where(is_grey[..., None], grey[..., None], coloured)
    return mixed


def _looked_up(pixels: Pixels, palette: Palette) -> Levels:
    colours = _colours(palette)
    # The colour of each value that the pixels can have: no frame of wider numbers is made.
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    if unsigned.itemsize > 2:
        raise CannotTranscode(f"a palette of pixels of {unsigned.itemsize * 8} bits is not known")
    values = np.arange(1 << unsigned.itemsize * 8).astype(unsigned).view(pixels.dtype).astype(np.int64)
    table = colours[np.clip(values - palette.descriptor[1], 0, len(colours) - 1)]
    return np.take(table, pixels.view(unsigned), axis=0)


def _colours(palette: Palette) -> Levels:
    """Red, green and blue of each entry, (entries, 3)."""
    try:
        if palette.uid:
            known: Levels = apply_color_lut(np.arange(256, dtype=np.uint8), palette=palette.uid)
            return known[:, :3]
        colours = np.stack([_entries(content, palette) for content in palette.colours], axis=1)
    except ValueError as error:
        raise CannotTranscode(f"the Palette Color Lookup Table is broken: {error}") from error
    bits, most = palette.descriptor[2], int(colours.max())
    if most <= 0xFF:
        return colours.astype(np.uint8)  # some writers say 16 bits of entries that have 8
    return (colours >> (bits - 8 if 8 < bits <= 16 and most < 1 << bits else 8)).astype(np.uint8)


def _entries(content: bytes, palette: Palette) -> NDArray[np.uint16]:
    """The entries of one colour.

    Raises:
        ValueError: there are too few.
    """
    count, _, bits = palette.descriptor
    if palette.is_segmented:
        return np.array(expand_segments(content, bits, count), np.uint16)
    # Entries of 8 bits are packed, or stand one in a word (PS3.3 C.7.6.3.1.6); an odd number of them is padded.
    is_packed = len(content) < 2 * count if bits > 8 else len(content) in (count, count + 1)
    entries = np.frombuffer(content, np.uint8 if is_packed else "<u2")
    if len(entries) < count:
        raise ValueError(f"{len(content)} bytes, expected {count} entries")
    return entries[:count].astype(np.uint16)


def _to_bytes(samples: Pixels, bits_stored: int) -> Levels:
    if bits_stored == 8:
        return samples.astype(np.uint8, copy=False)
    if bits_stored > 8:
        return (samples >> (bits_stored - 8)).astype(np.uint8)
    return np.rint(samples * (255 / ((1 << bits_stored) - 1))).astype(np.uint8)
