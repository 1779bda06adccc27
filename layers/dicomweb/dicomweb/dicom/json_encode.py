"""Data elements made from the DICOM JSON Model (PS3.18 Annex F), the inverse of `json_model.py`. Pure.

Text is in UTF-8 and stays as it is: numbers that are text (DS, IS) are not written anew.
"""

import base64
import binascii
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dicomweb.dicom.data_set import ITEM, ITEM_END, SEQUENCE_END, element_header
from dicomweb.dicom.elements import UNDEFINED
from dicomweb.dicom.json_model import BINARY, NUMBERS, PERSON_NAME_GROUPS, DataSet
from dicomweb.dicom.uids import EXPLICIT_LITTLE, encoding_of
from dicomweb.errors import InvalidDicom

_ENCODING = encoding_of(EXPLICIT_LITTLE)
_MAX_DEPTH = 100  # items in items
_FILE_META = 0x0002
_RESERVED = frozenset(
    {0x0000, 0x0001, 0x0003, 0x0005, 0x0007, 0xFFFE, 0xFFFF}
)  # commands, items, groups that may not be

_UTF_8 = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT", "UR"})
_TEXT = _UTF_8 | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"}


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk value.

    Attributes:
        length: bytes.
        open: them, in chunks, as often as it is called.
    """

    length: int
    open: Callable[[], Iterator[bytes]]


FindBulk = Callable[[str], Bulk]
"""The value of a BulkDataURI."""


def encode_json(document: DataSet, find_bulk: FindBulk) -> Iterator[bytes]:
    """A data set in Explicit VR Little Endian, in chunks; group lengths and File Meta Information are left out.

    They say how a file is written: this one is written anew. All else is in it, or refused.

    Raises:
        InvalidDicom: a value is none of its VR, an attribute none of a data set, or find_bulk says so.
    """
    return _data_set(document, find_bulk, 0)


def _data_set(document: DataSet, find_bulk: FindBulk, depth: int) -> Iterator[bytes]:
    if depth > _MAX_DEPTH:
        raise InvalidDicom(f"the metadata have more than {_MAX_DEPTH} items in items")
    for name in sorted(document):
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", name) or not isinstance(document[name], dict):
            raise InvalidDicom(f"{name[:20]!r} in the metadata is no attribute; expected 8 hex digits and an object")
        tag = int(name, 16)
        if tag >> 16 in _RESERVED:
            raise InvalidDicom(f"({name[:4]},{name[4:]}) in the metadata is no attribute of a data set (PS3.5 §7.1)")
        if tag & 0xFFFF and tag >> 16 != _FILE_META:
            yield from _element(tag, document[name], find_bulk, depth)


def _element(tag: int, attribute: dict[str, Any], find_bulk: FindBulk, depth: int) -> Iterator[bytes]:
    vr, values = attribute.get("vr", "UN"), attribute.get("Value") or []
    if vr == "SQ":
        yield element_header(tag, vr, UNDEFINED, _ENCODING)
        for item in values:
            yield ITEM
            yield from _data_set(item or {}, find_bulk, depth + 1)
            yield ITEM_END
        yield SEQUENCE_END
        return
    if uri := attribute.get("BulkDataURI"):
        bulk = find_bulk(str(uri))
        yield element_header(tag, vr, bulk.length + bulk.length % 2, _ENCODING)
        yield from bulk.open()
        yield b"\0" * (bulk.length % 2)
        return
    try:
        value = _value(vr, values, attribute.get("InlineBinary"))
    except (ValueError, TypeError, AttributeError, OverflowError, struct.error, binascii.Error) as error:
        raise InvalidDicom(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) in the metadata is no {vr}: {error}") from error
    yield element_header(tag, vr, len(value), _ENCODING) + value


def _value(vr: str, values: list[Any], inline: str | None) -> bytes:
    """Raises ValueError and the like for what is none."""
    if inline is not None:
        return _padded(base64.b64decode(inline, validate=True), b"\0")
    if vr in _TEXT:
        texts = [_person_name(value) if vr == "PN" else _text(value) for value in values]
        return _padded("\\".join(texts).encode("utf-8" if vr in _UTF_8 else "latin-1"), b"\0" if vr == "UI" else b" ")
    if vr in NUMBERS:
        to_number: Callable[[Any], float] = float if vr in ("FD", "FL") else _whole
        return struct.pack(f"<{len(values)}{NUMBERS[vr]}", *map(to_number, values))
    if vr == "AT":
        return b"".join(struct.pack("<HH", int(value[:4], 16), int(value[4:8], 16)) for value in values)
    if vr not in BINARY:
        raise ValueError("there is no such VR")
    if values:
        raise ValueError("expected InlineBinary or BulkDataURI")
    return b""


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{str(value)[:40]!r} is neither text nor a number")
    return value if isinstance(value, str) else repr(value)


def _person_name(value: Any) -> str:
    if not isinstance(value, dict):
        return _text(value)
    return "=".join(_text(value.get(group)) for group in PERSON_NAME_GROUPS).rstrip("=")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{str(value)[:40]!r} is no whole number")
    return int(value)


def _padded(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)
