"""What the data set says of how a frame is to be seen (PS3.3 C.7.6.3, C.7.6.16, C.11.1, C.11.2). Pure."""

import math
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dicomweb.dicom.json_model import DataSet, first, text_of
from dicomweb.dicom.rendering import LINEAR, LINEAR_EXACT, SIGMOID, Window
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.image import ImagePixel

ReadBulk = Callable[[str], bytes]
"""A bulk value by its path in the metadata, numbers in little endian."""

_SHARED_GROUPS, _FRAME_GROUPS = "52009229", "52009230"
_PIXEL_MEASURES, _FRAME_VOI_LUT, _PIXEL_VALUE_TRANSFORMATION = "00289110", "00289132", "00289145"
_MODALITY_LUT, _VOI_LUT = "00283000", "00283010"
_LUT_DESCRIPTOR, _LUT_DATA = "00283002", "00283006"
# Distance of pixel centres, (row, column); the first one there is decides (PS3.3 C.7.6.3.1.7, Table 10.7.1-1).
_SPACINGS = ("00280030", "00181164", "00182010")
_PIXEL_ASPECT_RATIO = "00280034"
_PALETTE = tuple((f"0028110{n}", f"0028120{n}", f"0028122{n}") for n in (1, 2, 3))  # descriptor, data, segmented data
_PALETTE_UID = "00281199"
# Attributes that say all of how most images are seen, and those with which there is more to be read.
_PLAIN = frozenset({
    "00089205", "0062000E", "00280120", "00280121", "00280301", "00281050", "00281051", "00281052", "00281053",
    "00281056", _PIXEL_ASPECT_RATIO, *_SPACINGS,
})  # fmt: skip
_NOT_PLAIN = frozenset({
    _SHARED_GROUPS, _FRAME_GROUPS, _MODALITY_LUT, _VOI_LUT, _PALETTE[0][0], _PALETTE_UID, "00282000", "00480105",
})  # fmt: skip
_MOST_PLAIN = 1000  # characters of all of them
_MOST_ENTRIES = 0x10000
_WIDEST = 0xFFFF  # of an output of a look-up table
_MOST_UNEQUAL = 100  # times that a pixel may be longer than wide


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table from one value to another (PS3.3 C.11.1.1, C.11.2.1.1).

    Attributes:
        first: the input of the first entry; inputs below and above have the first and the last entry.
        bits: of an output.
    """

    first: int
    bits: int
    entries: "array[int]"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of stored values (PS3.3 C.7.6.3.1.5, C.7.9).

    Attributes:
        descriptor: entries, the first value mapped, bits; as they are in the data set.
        colours: the data of red, green and blue.
        is_supplemental: values below the first one mapped are grey (PS3.3 C.7.6.19).
        uid: of a well-known palette, when it is not in the data set.
    """

    descriptor: tuple[int, int, int] = (0, 0, 0)
    colours: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    is_segmented: bool = False
    is_supplemental: bool = False
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Presentation:
    """From the stored values of a frame to what is seen.

    Attributes:
        modality: a table, or slope and intercept.
        voi: a table, a window, or None for the range of the frame.
        extent: the values that are black and white when voi is None, where the object says which.
        padding: stored values, from and to, that are no part of the image (PS3.3 C.7.5.1.1.2).
        shape: a table from VOI output to P-Values (PS3.3 C.11.6).
        is_inverse: the least value is white.
        pixel_ratio: height of a pixel : its width.
    """

    modality: LookupTable | tuple[float, float] = (1.0, 0.0)
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
    modality = _modality(transformation, path, signed, read_bulk)
    return Presentation(
        modality=modality,
        voi=_voi(metadata, frame, _is_negative(modality, signed), read_bulk),
        extent=_extent(metadata, image),
        padding=_padding(metadata),
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


def read_table(item: DataSet, path: str, signed: bool, read_bulk: ReadBulk) -> LookupTable | None:
    """The table of an item of a LUT Sequence; None where it is none.

    Args:
        path: of the item in the metadata.
        signed: whether inputs are.
    """
    descriptor = _descriptor(item, _LUT_DESCRIPTOR, signed)
    if descriptor is None:
        return None
    count, low, bits = descriptor
    entries = _words(item, _LUT_DATA, path, read_bulk)
    if bits <= 8 and len(entries) * 2 in (count, count + 1):
        entries = array("H", struct.unpack(f"<{len(entries) * 2}B", entries.tobytes()))  # two entries a word
    if not 1 <= bits <= 16 or not entries:
        return None
    return LookupTable(low, bits, entries[:count])


def macro(metadata: DataSet, frame: int, sequence: str) -> DataSet:
    """A functional group of a frame: its own, or the one that all share (PS3.3 C.7.6.16); empty when there is none."""
    return next((item for item, _ in _groups(metadata, frame, sequence)), {})


def _macro(metadata: DataSet, frame: int, sequence: str) -> tuple[DataSet, str]:
    """A functional group, or the data set itself, and the path to it."""
    return next(_groups(metadata, frame, sequence), (metadata, ""))


def _groups(metadata: DataSet, frame: int, sequence: str) -> Iterator[tuple[DataSet, str]]:
    for groups, number in ((_FRAME_GROUPS, frame), (_SHARED_GROUPS, 1)):
        items = metadata.get(groups, {}).get("Value", ())
        if number <= len(items) and (found := items[number - 1].get(sequence, {}).get("Value")):
            yield found[0], f"{groups}/{number}/{sequence}/1/"


def _modality(item: DataSet, path: str, signed: bool, read_bulk: ReadBulk) -> LookupTable | tuple[float, float]:
    if (tables := item.get(_MODALITY_LUT, {}).get("Value")) and (
        table := read_table(tables[0], f"{path}{_MODALITY_LUT}/1/", signed, read_bulk)
    ):
        return table
    slope, intercept = number_of(item, "00281053"), number_of(item, "00281052")
    return slope or 1.0, intercept or 0.0


def _is_negative(modality: LookupTable | tuple[float, float], signed: bool) -> bool:
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
    tables: list[DataSet] = item.get(_VOI_LUT, {}).get("Value") or [{}]
    return read_table(tables[0], f"{path}{_VOI_LUT}/1/", signed, read_bulk)


def _extent(metadata: DataSet, image: ImagePixel) -> tuple[float, float] | None:
    """Of bitmaps and of segmentations, whose frames are compared with each other (PS3.3 C.8.20.2.3)."""
    if image.bits_stored == 1:
        return 0, 1
    most = first(metadata, "0062000E")  # Maximum Fractional Value
    return (0, most) if isinstance(most, int) and most > 0 else None


def _padding(metadata: DataSet) -> tuple[int, int] | None:
    value, limit = first(metadata, "00280120"), first(metadata, "00280121")
    if not isinstance(value, int):
        return None
    limit = limit if isinstance(limit, int) else value
    return min(value, limit), max(value, limit)


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
    descriptors = [_descriptor(metadata, descriptor, signed) for descriptor, _, _ in _PALETTE]
    is_segmented = _PALETTE[0][1] not in metadata and _PALETTE[0][2] in metadata
    colours = [_words(metadata, tags[2 if is_segmented else 1], "", read_bulk).tobytes() for tags in _PALETTE]
    if descriptors[0] is not None and descriptors.count(descriptors[0]) == len(descriptors) and all(colours):
        red, green, blue = colours
        return Palette(descriptors[0], (red, green, blue), is_segmented, is_supplemental)
    if uid := text_of(metadata, _PALETTE_UID):
        return Palette(uid=uid, is_supplemental=is_supplemental)
    if is_supplemental:
        return None
    raise CannotTranscode("PALETTE COLOR without Palette Color Lookup Tables of one length")


def _descriptor(item: DataSet, tag: str, signed: bool) -> tuple[int, int, int] | None:
    """Entries, the first value mapped, bits (PS3.3 C.11.1.1.1). Its VR may not be that of the values it describes."""
    values = item.get(tag, {}).get("Value", ())
    if len(values) != 3 or not all(isinstance(value, int) for value in values):
        return None
    count, low, bits = values
    low &= 0xFFFF
    return (count & 0xFFFF) or _MOST_ENTRIES, low - 0x10000 if signed and low > 0x7FFF else low, bits


def _words(item: DataSet, tag: str, path: str, read_bulk: ReadBulk) -> "array[int]":
    attribute = item.get(tag, {})
    if "BulkDataURI" in attribute:
        content = read_bulk(path + tag)
        words = struct.unpack(f"<{len(content) // 2}H", content[: len(content) // 2 * 2])
        return array("H", words)
    return array("H", (value & _WIDEST for value in attribute.get("Value", ()) if isinstance(value, int)))


def number_of(item: DataSet, tag: str) -> float | None:
    """The first value of an attribute as a number."""
    return next(iter(numbers_of(item, tag)), None)


def numbers_of(item: DataSet, tag: str) -> list[float | None]:
    """The values of an attribute as numbers; None for what is none. DS is text in the metadata."""
    return [_number(value) for value in item.get(tag, {}).get("Value", ())]


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
