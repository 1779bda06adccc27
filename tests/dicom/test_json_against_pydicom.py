"""Our DICOM JSON against pydicom's, and our XML against our JSON, over every DICOM file of pydicom and pydicom-data.

Each way in which they may differ has a name in Difference, and the reason there.
"""

import json
import re
import warnings
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import data_store
import pydicom
import pytest

from dicomweb.dicom.elements import read_data_set
from dicomweb.dicom.json_model import Conversion, DataSet, to_json
from dicomweb.dicom.part10 import inflate, read_meta, uid_of
from dicomweb.dicom.uids import DEFLATED, encoding_of
from dicomweb.dicom.xml_model import to_xml
from dicomweb.errors import InvalidDicom
from tests.builders import pydicom_files

NAMESPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
LARGEST = 8_000_000  # bytes of a file; larger ones have no other attributes


class Difference(Enum):
    DECIMAL = "DS is text, as it was written: a float is another text (PS3.18 Table F.2.3-1 allows both)"
    BULK = "binary values are referenced, pydicom has them inside"
    CHARACTER_SET = "the text is UTF-8 and says so; pydicom keeps the name of the set that the file was in"
    GROUP_LENGTH = "group lengths are left out (PS3.18 §F.2.2)"
    ENCAPSULATED = "encapsulated pixel data are OB (PS3.5 A.4), whatever the file says"
    EMPTY = "an empty value among others is null (PS3.18 §F.2.5); pydicom has an empty text, in some VRs"
    PADDING = "spaces around a value of these VRs mean nothing (PS3.5 Table 6.2-1)"
    EMPTY_SEQUENCE = "an empty sequence has no Value (PS3.18 §F.2.5); pydicom has an empty list"
    REFUSED = "pydicom leaves out what is invalid; we give what is there"


def samples() -> list[Path]:
    more = [path for path in sorted(Path(data_store.__file__).parent.rglob("*")) if path.is_file()]
    found = pydicom_files() + [path for path in more if path.read_bytes()[128:132] == b"DICM"]
    return [path for path in found if path.stat().st_size < LARGEST]


def our_json(path: Path) -> DataSet:
    """Without the identifiers that an archive asks for: many samples have none."""
    data = path.read_bytes()
    meta, start = read_meta(data)
    syntax = next((uid_of(data, element) for element in meta if element.tag == 0x00020010), "")
    data = inflate(data, start) if syntax in DEFLATED else data
    elements = read_data_set(data, start, len(data), encoding_of(syntax))
    document: DataSet = json.loads(json.dumps(to_json(elements, Conversion(data, "iso8859_1", "/bulkdata"))))
    return document


def differences(ours: DataSet, theirs: DataSet, refused: set[str], path: str = "") -> Iterator[Difference | str]:
    """What differs, as one of the differences that are meant, or said in words.

    Args:
        refused: tags that pydicom found invalid.
    """
    for tag in sorted({*ours, *theirs}):
        where, a, b = f"{path}/{tag}", ours.get(tag), theirs.get(tag)
        if a == b:
            continue
        if b is None:
            yield Difference.REFUSED if tag in refused else f"{where}: only ours"
        elif a is None:
            yield Difference.GROUP_LENGTH if tag.endswith("0000") else f"{where}: only theirs"
        elif a["vr"] == b["vr"] == "SQ" and len(a.get("Value", ())) == len(b.get("Value", ())):
            if "Value" not in a or "Value" not in b:
                yield Difference.EMPTY_SEQUENCE
                continue
            for number, (item, other) in enumerate(zip(a["Value"], b["Value"], strict=True), 1):
                yield from differences(item, other, refused, f"{where}/{number}")
        else:
            yield _difference(tag, a, b) or f"{where}: {str(a)[:200]} and {str(b)[:200]}"


def _difference(tag: str, a: dict[str, Any], b: dict[str, Any]) -> Difference | None:
    if "BulkDataURI" in a and "InlineBinary" in b:
        if a["vr"] == b["vr"]:
            return Difference.BULK
        return Difference.ENCAPSULATED if (tag, a["vr"]) == ("7FE00010", "OB") else None
    if a["vr"] != b["vr"]:
        return None
    ours, theirs = a.get("Value", []), b.get("Value", [])
    if tag == "00080005":
        return Difference.CHARACTER_SET if ours == ["ISO_IR 192"] else None
    if ours == [value if value != "" else None for value in theirs]:
        return Difference.EMPTY
    if a["vr"] in ("CS", "LO", "SH") and ours == [value.strip() or None for value in theirs]:
        return Difference.PADDING
    if a["vr"] == "DS" and [_number(value) for value in ours] == [_number(value) for value in theirs]:
        return Difference.DECIMAL
    return None


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def from_xml(element: ET.Element) -> DataSet:
    """The JSON model of an XML document, all values as text; private tags with the block masked."""
    document: DataSet = {}
    for each in element:
        attribute: dict[str, Any] = {"vr": each.attrib["vr"]}
        if (bulk := each.find(f"{NAMESPACE}BulkData")) is not None:
            attribute["BulkDataURI"] = bulk.attrib["uri"]
        elif len(each):
            numbered = {int(value.attrib["number"]): _value(value) for value in each}
            attribute["Value"] = [numbered.get(number) for number in range(1, max(numbered) + 1)]
        document.setdefault(f"{each.attrib['tag']} {each.get('privateCreator', '')}".strip(), attribute)
    return document


def _value(element: ET.Element) -> Any:
    if element.tag == f"{NAMESPACE}Item":
        return from_xml(element)
    if element.tag == f"{NAMESPACE}PersonName":
        return {
            group.tag.removeprefix(NAMESPACE): "^".join(
                group.findtext(NAMESPACE + part, "") for part in NAME_PARTS
            ).rstrip("^")
            for group in element
        }
    return element.text


def as_text(document: DataSet) -> DataSet:
    """The JSON model as its XML can say it: values as text, no empty ones at the end."""
    creators = {tag[:4] + tag[6:]: str(document[tag].get("Value", [""])[0]) for tag in document if tag[4:6] == "00"}
    plain: DataSet = {}
    for tag, attribute in document.items():
        creator = creators.get(tag[:6], "") if int(tag[3], 16) & 1 and tag[4:6] != "00" else ""
        name = f"{tag[:4]}00{tag[6:]} {creator}" if creator else tag
        values = [_as_text(value) for value in attribute.get("Value", ())]
        while values and values[-1] is None:
            values.pop()
        plain.setdefault(name, attribute | {"Value": values} if values else attribute)
    return plain


def _as_text(value: Any) -> Any:
    if isinstance(value, dict) and not value.keys() <= {"Alphabetic", "Ideographic", "Phonetic"}:
        return as_text(value)
    if isinstance(value, dict):
        return {group: text.rstrip("^") for group, text in value.items()}
    return value if value is None else str(value)


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_json_differs_from_pydicoms_only_where_that_is_meant(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    try:
        ours = our_json(path)
    except InvalidDicom as error:
        pytest.skip(f"not stored: {error}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        theirs = json.loads(json.dumps(dataset.to_json_dict(suppress_invalid_tags=True)))
    refused = {found[1] for text in caplog.messages if (found := re.match(r"Error while processing tag (\w{8})", text))}
    assert [each for each in differences(ours, theirs, refused) if not isinstance(each, Difference)] == []


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.name)
def test_xml_says_what_json_says(path: Path) -> None:
    try:
        ours = our_json(path)
    except InvalidDicom as error:
        pytest.skip(f"not stored: {error}")
    assert from_xml(ET.fromstring(to_xml(ours))) == as_text(ours)  # noqa: S314 — our own
