"""What the data set says of how a frame is to be seen (PS3.3 C.7.6.3, C.7.6.16, C.11.1, C.11.2). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicomweb.dicom.json_model import DataSet, first, items_of, text_of
from dicomweb.dicom.rendering import LINEAR, LINEAR_EXACT, SIGMOID, Window
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.lookup_tables import (
    PALETTE,
    PALETTE_UID,
    LookupTable,
    Palette,
    ReadBulk,
    number_of,
    numbers_of,
    read_palette,
    read_table,
)  # fmt: skip

_SHARED_GROUPS, _FRAME_GROUPS = "52009229", "52009230"
_PIXEL_MEASURES, _FRAME_VOI_LUT, _PIXEL_VALUE_TRANSFORMATION = "00289110", "00289132", "00289145"
_MODALITY_LUT, _VOI_LUT = "00283000", "00283010"
# Distance of pixel centres, (row, column); the first one there is decides (PS3.3 C.7.6.3.1.7, Table 10.7.1-1).
_SPACINGS = ("00280030", "00181164", "00182010")
_PIXEL_ASPECT_RATIO = "00280034"
# Attributes that say all of how most images are seen, and those with which there is more to be read.
_PLAIN = frozenset({
    "00089205", "0062000E", "00280120", "00280121", "00280301", "00281050", "00281051", "00281052", "00281053",
    "00281056", _PIXEL_ASPECT_RATIO, *_SPACINGS,
})  # fmt: skip
_NOT_PLAIN = frozenset({
    _SHARED_GROUPS, _FRAME_GROUPS, _MODALITY_LUT, _VOI_LUT, PALETTE[0][0], PALETTE_UID, "00282000", "00480105",
})  # fmt: skip
_MOST_PLAIN = 1000  # characters of all of them
_MOST_UNEQUAL = 100  # times that a pixel may be longer than wide


Modality = LookupTable | tuple[float, float]
"""A Modality LUT: a table, or slope and intercept."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """From the stored values of a frame to what is seen.

    Attributes:
        voi: a table, a window, or None for the range of the frame.
        extent: the values that are black and white when voi is None, where the object says which.
        padding: stored values, from and to, that are no part of the image (PS3.3 C.7.5.1.1.2).
        shape: a table from VOI output to P-Values (PS3.3 C.11.6).
        is_inverse: the least value is white.
        pixel_ratio: height of a pixel : its width.
    """

    modality: Modality = (1.0, 0.0)
    voi: LookupTable | Window | None = None
    extent: tuple[float, float] | None = None
    padding: tuple[int, int] | None = None
    shape: LookupTable | None = None
    is_inverse: bool = False
    palette: Palette | None = None
    pixel_ratio: float = 1.0


def read_presentation(metadata: DataSet, image: ImagePixel, frame: int, read_bulk: ReadBulk) -> Presentation:
    """How one frame is to be seen; what cannot be is left out, as if it were absent.

    Args:
        frame: its number, from 1.
        read_bulk: for tables that metadata only reference.
    Raises:
        CannotTranscode: a palette is needed and there is none.
    """
    signed = image.pixel_representation == 1
    transformation, path = _macro(metadata, frame, _PIXEL_VALUE_TRANSFORMATION)
    modality = read_modality(transformation, path, signed, read_bulk)
    return Presentation(
        modality=modality,
        voi=_voi(metadata, frame, is_negative(modality, signed), read_bulk),
        extent=_extent(metadata, image),
        padding=_padding(metadata, image),
        is_inverse=image.photometric_interpretation == "MONOCHROME1",
        palette=_palette(metadata, image, read_bulk),
        pixel_ratio=_pixel_ratio(metadata, frame),
    )


def plain_attributes(metadata: DataSet) -> DataSet | None:
    """The attributes by which an image is seen, when they are few; None when the metadata have to be read for that."""
    if not _NOT_PLAIN.isdisjoint(metadata):
        return None
    plain = {tag: metadata[tag] for tag in sorted(_PLAIN & metadata.keys()) if "Value" in metadata[tag]}
    return plain if len(str(plain)) <= _MOST_PLAIN else None


def macro(metadata: DataSet, frame: int, sequence: str) -> DataSet:
    """A functional group of a frame: its own, or the one that all share (PS3.3 C.7.6.16); empty when there is none."""
    return next((item for item, _ in _groups(metadata, frame, sequence)), {})


def _macro(metadata: DataSet, frame: int, sequence: str) -> tuple[DataSet, str]:
    """A functional group, or the data set itself, and the path to it."""
    return next(_groups(metadata, frame, sequence), (metadata, ""))


def _groups(metadata: DataSet, frame: int, sequence: str) -> Iterator[tuple[DataSet, str]]:
    for groups, number in ((_FRAME_GROUPS, frame), (_SHARED_GROUPS, 1)):
        items = items_of(metadata, groups)
        if number <= len(items) and (found := items_of(items[number - 1], sequence)):
            yield found[0], f"{groups}/{number}/{sequence}/1/"


def read_modality(item: DataSet, path: str, signed: bool, read_bulk: ReadBulk) -> Modality:
    """The first table of an item, else its slope and intercept (PS3.3 C.11.1); the identity where it has neither."""
    if (tables := items_of(item, _MODALITY_LUT)) and (
        table := read_table(tables[0], f"{path}{_MODALITY_LUT}/1/", signed, read_bulk)
    ):
        return table
    slope, intercept = number_of(item, "00281053"), number_of(item, "00281052")
    return slope or 1.0, intercept or 0.0


def is_negative(modality: Modality, signed: bool) -> bool:
    """Whether outputs may be below 0."""
    return not isinstance(modality, LookupTable) and (signed or modality[1] < 0 or modality[0] < 0)


def _voi(metadata: DataSet, frame: int, signed: bool, read_bulk: ReadBulk) -> LookupTable | Window | None:
    item, path = _macro(metadata, frame, _FRAME_VOI_LUT)
    return read_voi(item, path, signed, read_bulk)


def read_voi(item: DataSet, path: str, signed: bool, read_bulk: ReadBulk) -> LookupTable | Window | None:
    """The first window of a VOI LUT Macro that can be, else its first table (PS3.3 C.11.2)."""
    function = text_of(item, "00281056").upper() or LINEAR
    if function not in (LINEAR, LINEAR_EXACT, SIGMOID):
        function = LINEAR
    for center, width in zip(numbers_of(item, "00281050"), numbers_of(item, "00281051"), strict=False):
        if center is not None and width is not None and (window := Window(center, width, function)).is_possible:
            return window
    tables = items_of(item, _VOI_LUT)
    return read_table(tables[0] if tables else {}, f"{path}{_VOI_LUT}/1/", signed, read_bulk)


def _extent(metadata: DataSet, image: ImagePixel) -> tuple[float, float] | None:
    """Of bitmaps and of segmentations, whose frames are compared with each other (PS3.3 C.8.20.2.3)."""
    if image.bits_stored == 1:
        return 0, 1
    most = first(metadata, "0062000E")  # Maximum Fractional Value
    return (0, most) if isinstance(most, int) and most > 0 else None


def _padding(metadata: DataSet, image: ImagePixel) -> tuple[int, int] | None:
    value, limit = first(metadata, "00280120"), first(metadata, "00280121")
    if not isinstance(value, int):
        return None
    ends = [value, limit if isinstance(limit, int) else value]
    if image.pixel_representation == 1:
        # Written as US in some files, though the pixels are signed (PS3.3 C.7.5.1.1.2).
        ends = [end - 0x10000 if 0x7FFF < end <= 0xFFFF else end for end in ends]
    return min(ends), max(ends)


def _pixel_ratio(metadata: DataSet, frame: int) -> float:
    item = _macro(metadata, frame, _PIXEL_MEASURES)[0]
    pairs = [numbers_of(holder, tag) for holder in (item, metadata) for tag in _SPACINGS]
    pairs.append(numbers_of(metadata, _PIXEL_ASPECT_RATIO))
    for pair in pairs:
        if len(pair) == 2 and pair[0] and pair[1] and 1 / _MOST_UNEQUAL <= pair[0] / pair[1] <= _MOST_UNEQUAL:
            return pair[0] / pair[1]
    return 1.0


def _palette(metadata: DataSet, image: ImagePixel, read_bulk: ReadBulk) -> Palette | None:
    is_supplemental = image.photometric_interpretation == "MONOCHROME2" and text_of(metadata, "00089205") == "COLOR"
    if image.photometric_interpretation != "PALETTE COLOR" and not is_supplemental:
        return None
    signed = image.pixel_representation == 1
    palette = read_palette(metadata, signed=signed, is_supplemental=is_supplemental, read_bulk=read_bulk)
    if palette is None and not is_supplemental:
        raise CannotTranscode("PALETTE COLOR without Palette Color Lookup Tables of one length")
    return palette
