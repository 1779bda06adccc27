"""Look-up tables of data sets, and numbers (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5, C.7.9). Pure."""

import math
import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from dicomweb.dicom.json_model import DataSet, text_of

ReadBulk = Callable[[str], bytes]
"""A bulk value by its path in the metadata, numbers in little endian."""

_LUT_DESCRIPTOR, _LUT_DATA = "00283002", "00283006"
PALETTE = tuple((f"0028110{n}", f"0028120{n}", f"0028122{n}") for n in (1, 2, 3))  # descriptor, data, segmented data
PALETTE_UID = "00281199"
_MOST_ENTRIES = 0x10000
_WIDEST = 0xFFFF  # of an output of a look-up table


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
        is_of_grey: its colours are those of grey levels, black to white, not of stored values (PS3.4 N.2.2).
    """

    descriptor: tuple[int, int, int] = (0, 0, 0)
    colours: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    is_segmented: bool = False
    is_supplemental: bool = False
    uid: str = ""
    is_of_grey: bool = False


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


def read_palette(item: DataSet, *, signed: bool, is_supplemental: bool, read_bulk: ReadBulk) -> Palette | None:
    """The colours of a data set; None where there are none, or tables of different lengths."""
    descriptors = [_descriptor(item, descriptor, signed) for descriptor, _, _ in PALETTE]
    is_segmented = PALETTE[0][1] not in item and PALETTE[0][2] in item
    colours = [_words(item, tags[2 if is_segmented else 1], "", read_bulk).tobytes() for tags in PALETTE]
    if descriptors[0] is not None and descriptors.count(descriptors[0]) == len(descriptors) and all(colours):
        red, green, blue = colours
        return Palette(descriptors[0], (red, green, blue), is_segmented, is_supplemental)
    if uid := text_of(item, PALETTE_UID):
        return Palette(uid=uid, is_supplemental=is_supplemental)
    return None


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
