"""The Native DICOM Model (PS3.19 Annex A) read into the DICOM JSON Model. Pure."""

import math
import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from dicomweb.dicom.json_model import DataSet
from dicomweb.errors import InvalidDicom

_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_WHOLE = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_FLOATS = frozenset({"FD", "FL"})
_MAX_DEPTH = 100  # items in items
_BLOCK = 0x10  # the first block of private elements
_MOST_EMPTY = 10_000  # values in a row


def read_xml(text: bytes) -> DataSet:
    """One data set of a NativeDicomModel document.

    Raises:
        InvalidDicom: it is none, or no XML. A document type is refused: nothing in it is needed, entities may explode.
    """
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise InvalidDicom("the XML has a document type; expected a NativeDicomModel without one") from error
    except ParseError as error:
        raise InvalidDicom(f"no XML: {error}") from error
    if _name(root) != "NativeDicomModel":
        raise InvalidDicom(f"the root of the XML is {_name(root)!r}; expected NativeDicomModel")
    return _data_set(root, 0)


def _data_set(parent: Element, depth: int) -> DataSet:
    if depth > _MAX_DEPTH:
        raise InvalidDicom(f"the XML has more than {_MAX_DEPTH} items in items")
    document: DataSet = {}
    blocks: dict[tuple[str, str], int] = {}
    for element in parent:
        if _name(element) != "DicomAttribute":
            raise InvalidDicom(f"the XML has {_name(element)!r}; expected DicomAttribute")
        tag, vr = element.get("tag", "").upper(), element.get("vr", "")
        if not re.fullmatch(r"[0-9A-F]{8}", tag) or not re.fullmatch(r"[A-Z]{2}", vr):
            raise InvalidDicom(
                f"a DicomAttribute has tag {tag[:20]!r} and vr {vr[:20]!r}; expected 8 hex digits and a VR"
            )
        if (creator := element.get("privateCreator")) and int(tag[:4], 16) & 1:
            tag = _in_block(tag, creator, blocks, document)
        document[tag] = _attribute(element, vr, depth)
    return document


def _in_block(tag: str, creator: str, blocks: dict[tuple[str, str], int], document: DataSet) -> str:
    """The tag of a private element; its block is masked in the XML (PS3.19 Table A.1.5-2)."""
    group = tag[:4]
    if (group, creator) not in blocks:
        taken = {int(known[6:], 16) for known in document if known.startswith(group) and known[4:6] == "00"}
        named = (known for known in document if known.startswith(f"{group}00") and known[6:] >= "10")
        own = next((int(known[6:], 16) for known in named if document[known].get("Value") == [creator]), None)
        block = own if own is not None else next(n for n in range(_BLOCK, 0x100) if n not in taken)
        blocks[group, creator] = block
        document[f"{group}00{block:02X}"] = {"vr": "LO", "Value": [creator]}
    return f"{group}{blocks[group, creator]:02X}{tag[6:]}"


def _attribute(element: Element, vr: str, depth: int) -> dict[str, Any]:
    values: list[Any] = []
    for child in element:
        name = _name(child)
        if name == "BulkData":
            return {"vr": vr, "BulkDataURI": child.get("uri") or child.get("uuid") or ""}
        if name == "InlineBinary":
            return {"vr": vr, "InlineBinary": "".join((child.text or "").split())}
        value: Any
        if name == "Item":
            value = _data_set(child, depth + 1)
        elif name == "PersonName":
            value = {_name(group): _person_name(group) for group in child}
        elif name == "Value":
            value = _value(child.text or "", vr)
        else:
            raise InvalidDicom(
                f"a DicomAttribute has {name!r}; expected Value, Item, PersonName, BulkData or InlineBinary"
            )
        _put(values, child.get("number", str(len(values) + 1)), value)
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _put(values: list[Any], number: str, value: Any) -> None:
    """At its number, from 1; values that are left out are empty."""
    place = int(number) if number.isascii() and number.isdecimal() and len(number) < 7 else 0
    if not len(values) < place <= len(values) + _MOST_EMPTY:
        raise InvalidDicom(f"a value has number {number[:20]!r}; expected 1, 2, 3 …")
    values.extend([None] * (place - 1 - len(values)))
    values.append(value)


def _person_name(group: Element) -> str:
    parts = {_name(part): part.text or "" for part in group}
    return "^".join(parts.get(name, "") for name in _NAME_PARTS).rstrip("^")


def _value(text: str, vr: str) -> Any:
    if vr in _WHOLE and re.fullmatch(r"\s*[+-]?\d{1,20}\s*", text):
        return int(text)
    if vr in _FLOATS:
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return text or None


def _name(element: Element) -> str:
    """Without its namespace, which some writers leave out."""
    return str(element.tag).rpartition("}")[2]
