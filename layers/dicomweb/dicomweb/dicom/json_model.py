"""The DICOM JSON Model (PS3.18 Annex F) made from data elements. Pure.

The text of DS is kept as it was written, binary values become a BulkDataURI, and everything is in UTF-8, whatever
the character set of the file. A BulkDataURI is relative (`/studies/…`) until `with_base` makes it absolute.
"""

import json
import math
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from dicomweb.dicom.charset import codecs_of, decode
from dicomweb.dicom.elements import US_OR_SS, Bytes, Element
from dicomweb.errors import InvalidDicom

DataSet = dict[str, dict[str, Any]]
"""One data set in the DICOM JSON Model: {"00100020": {"vr": "LO", "Value": ["1CT1"]}}."""

_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
# Other values are inlined, but these may be referenced when they are long (PS3.18 Table F.2.3-1).
_BULK_WHEN_LONG = frozenset(["DS", "FL", "FD", "IS", "LT", "SL", "SS", "ST", "SV", "UC", "UL", "US", "UT", "UV"])
LONG_VALUE = 64 * 1024  # bytes
MAX_BULK = 20_000  # binary values of one file; each takes a hundred times its tag in metadata

# Numbers: VR → struct letter (PS3.5 Table 6.2-1).
NUMBERS = {"FL": "f", "FD": "d", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_TEXT = frozenset({"LT", "ST", "UT", "UR"})  # one value; a backslash is a character
_CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
# Leading spaces of these mean nothing either (PS3.5 Table 6.2-1).
_TRIMMED_LEFT = frozenset({"AE", "CS", "DS", "IS", "LO", "SH", "DA", "TM", "DT", "UI"})
PERSON_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_EXACT_IN_JSON = 2**53 - 1  # the largest integer that every JSON reader keeps


@dataclass(slots=True)
class BulkData:
    """Where a value that metadata only references stands in the file."""

    vr: str
    start: int
    length: int
    little: bool
    encapsulated: bool


@dataclass(slots=True)
class Conversion:
    """What to_json needs to know beside the elements, and the bulk data it found, by path."""

    data: Bytes
    default_codec: str
    bulk_root: str
    bulk: dict[str, BulkData] = field(default_factory=dict)


def to_json(elements: list[Element], conversion: Conversion) -> DataSet:
    """The data set as a DICOM JSON object; group lengths are dropped (PS3.18 §F.2.2).

    Bulk data are recorded in conversion.bulk under their path: `7FE00010`, or `00081115/1/00091010` inside the first
    item of a sequence.
    """
    return _data_set(elements, conversion, (conversion.default_codec,), False, "")


def dumps(document: object) -> str:
    """JSON text without spaces; characters outside ASCII as themselves."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


_MARK = b'"BulkDataURI":"'  # in JSON text a quote inside a string is escaped: this is a key, never a value


def with_base(text: bytes, base: str, old_base: str = "") -> bytes:
    """Put base in front of every BulkDataURI that starts with old_base."""
    if base == old_base:
        return text
    return text.replace(_MARK + _quoted(old_base) + b"/", _MARK + _quoted(base) + b"/")


def _quoted(text: str) -> bytes:
    return dumps(text).encode()[1:-1]


def _data_set(
    elements: list[Element], conversion: Conversion, codecs: tuple[str, ...], signed: bool, path: str
) -> DataSet:
    document: DataSet = {}
    for element in elements:
        if element.tag == _CHARACTER_SET:
            names = _strings(element, conversion.data, ("ascii",))
            codecs = codecs_of([str(name or "") for name in names], conversion.default_codec)
        elif element.tag == _PIXEL_REPRESENTATION and element.length == 2:
            signed = conversion.data[element.start : element.start + 2] in (b"\1\0", b"\0\1")
        if element.tag & 0xFFFF == 0:
            continue
        name = f"{element.tag:08X}"
        document[name] = _attribute(element, conversion, codecs, signed, path + name)
    return document


def _attribute(
    element: Element, conversion: Conversion, codecs: tuple[str, ...], signed: bool, path: str
) -> dict[str, Any]:
    vr = element.vr
    if element.items is not None:
        items = [
            _data_set(item, conversion, codecs, signed, f"{path}/{number}/")
            for number, item in enumerate(element.items, 1)
        ]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if vr == US_OR_SS:
        vr = element.vr = "SS" if signed else "US"
    if element.length == 0:
        return {"vr": vr}
    if vr in BINARY or (element.length > LONG_VALUE and vr in _BULK_WHEN_LONG):
        if len(conversion.bulk) == MAX_BULK:
            raise InvalidDicom(f"more than {MAX_BULK} binary values")
        conversion.bulk[path] = BulkData(
            vr, element.start, element.length, element.little, element.fragments is not None
        )
        return {"vr": vr, "BulkDataURI": f"{conversion.bulk_root}/{path}"}
    values = _VALUES.get(vr, _strings)(element, conversion.data, codecs)
    if element.tag == _CHARACTER_SET:
        values = ["ISO_IR 192"]
    return {"vr": vr, "Value": values} if any(value is not None for value in values) else {"vr": vr}


def _raw(element: Element, data: Bytes) -> bytes:
    return data[element.start : element.start + element.length]


def _strings(element: Element, data: Bytes, codecs: tuple[str, ...]) -> list[Any]:
    text = _text(element, data, codecs)
    trim = str.strip if element.vr in _TRIMMED_LEFT else str.rstrip
    return [trim(value, " \0") or None for value in text.split("\\")]


def _one_text(element: Element, data: Bytes, codecs: tuple[str, ...]) -> list[Any]:
    return [_text(element, data, codecs).rstrip(" \0") or None]


def _text(element: Element, data: Bytes, codecs: tuple[str, ...]) -> str:
    if element.vr in _CHARACTER_SET_VRS:
        return decode(_raw(element, data), codecs, b"\\^=\r\n\f\t" if element.vr == "PN" else b"\\\r\n\f\t")
    return _raw(element, data).decode("iso8859_1" if element.vr != "UR" else "utf-8", "replace")


def _person_names(element: Element, data: Bytes, codecs: tuple[str, ...]) -> list[Any]:
    return [_person_name(text or "") for text in _strings(element, data, codecs)]


def _person_name(text: str) -> dict[str, str] | None:
    groups = {
        group: value.strip() for group, value in zip(PERSON_NAME_GROUPS, text.split("="), strict=False) if value.strip()
    }
    return groups or None


def _integer_strings(element: Element, data: Bytes, codecs: tuple[str, ...]) -> list[Any]:
    return [_integer(text) for text in _strings(element, data, codecs)]


def _integer(text: str | None) -> int | str | None:
    if text is None or not re.fullmatch(r"[+-]?\d{1,16}", text):
        return text  # nothing is lost: what is no integer stays the text it is
    value = int(text)
    return value if abs(value) <= _EXACT_IN_JSON else text


def _numbers(element: Element, data: Bytes, _codecs: tuple[str, ...]) -> list[Any]:
    return _unpack(element, data, NUMBERS[element.vr])


def _unpack(element: Element, data: Bytes, letter: str) -> list[Any]:
    size = struct.calcsize("<" + letter)
    count = element.length // size
    order = "<" if element.little else ">"
    values = struct.unpack_from(f"{order}{count}{letter}", _raw(element, data))
    return [_json_number(value) for value in values]


def _json_number(value: float) -> float | str:
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    return value if abs(value) <= _EXACT_IN_JSON else str(value)


def _tags(element: Element, data: Bytes, _codecs: tuple[str, ...]) -> list[Any]:
    halves = _unpack(element, data, "H")
    return [f"{group:04X}{number:04X}" for group, number in zip(halves[::2], halves[1::2], strict=False)]


_VALUES: dict[str, Callable[[Element, Bytes, tuple[str, ...]], list[Any]]] = {
    **dict.fromkeys(NUMBERS, _numbers),
    **dict.fromkeys(_TEXT, _one_text),
    "AT": _tags,
    "IS": _integer_strings,
    "PN": _person_names,
}


def select(document: DataSet, tags: Iterable[str]) -> DataSet:
    """The attributes of document that are in tags, in tag order."""
    return {tag: document[tag] for tag in sorted(tags) if tag in document}


def first(document: DataSet, tag: str) -> Any:
    """The first value of an attribute, None where it is absent or empty."""
    return next(iter(document.get(tag, {}).get("Value", ())), None)


def text_of(document: DataSet, tag: str) -> str:
    """The first value of an attribute as text, "" where it is absent or empty."""
    value = first(document, tag)
    return "" if value is None else str(value)


def items_of(document: DataSet, tag: str) -> list[DataSet]:
    """The items of a sequence; none where it is absent, empty, or no sequence."""
    attribute = document.get(tag, {})
    return (
        [item for item in attribute.get("Value", ()) if isinstance(item, dict)] if attribute.get("vr") == "SQ" else []
    )


def first_item(document: DataSet, tag: str) -> DataSet | None:
    return next(iter(items_of(document, tag)), None)
