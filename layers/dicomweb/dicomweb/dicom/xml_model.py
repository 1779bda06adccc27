"""The Native DICOM Model (PS3.19 Annex A) made from the DICOM JSON Model. Pure."""

import re
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

from dicomweb.dicom.json_model import DataSet

_NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# Characters that XML 1.0 cannot hold, even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def to_xml(document: DataSet) -> bytes:
    """One data set as an XML document in UTF-8."""
    body = "".join(_attribute(tag, attribute, document) for tag, attribute in sorted(document.items()))
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">{body}</NativeDicomModel>'.encode()


def _attribute(tag: str, attribute: dict[str, Any], document: DataSet) -> str:
    head = _head(tag, attribute["vr"], _creator(tag, document))
    if "BulkDataURI" in attribute:
        return f"<DicomAttribute {head}><BulkData uri={quoteattr(attribute['BulkDataURI'])}/></DicomAttribute>"
    if "InlineBinary" in attribute:
        return f"<DicomAttribute {head}><InlineBinary>{attribute['InlineBinary']}</InlineBinary></DicomAttribute>"
    values = "".join(
        _value(number, value, attribute["vr"]) for number, value in enumerate(attribute.get("Value", ()), 1)
    )
    return f"<DicomAttribute {head}>{values}</DicomAttribute>" if values else f"<DicomAttribute {head}/>"


@lru_cache(maxsize=8192)
def _head(tag: str, vr: str, creator: str) -> str:
    names = {"tag": tag, "vr": vr}
    if keyword := keyword_for_tag(int(tag, 16)):
        names["keyword"] = keyword
    if creator:
        # The block is masked: it is another one in each data set (PS3.19 Table A.1.5-2).
        names |= {"tag": f"{tag[:4]}00{tag[6:]}", "privateCreator": creator}
    return " ".join(f"{name}={quoteattr(_clean(value))}" for name, value in names.items())


def _creator(tag: str, document: DataSet) -> str:
    if not int(tag[:4], 16) & 1 or tag[4:6] == "00":
        return ""
    values = document.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value") or [""]
    return str(values[0] or "")


def _value(number: int, value: Any, vr: str) -> str:
    if value is None:
        return ""  # an empty value has a number that is left out
    if vr == "SQ":
        inner = "".join(_attribute(tag, attribute, value) for tag, attribute in sorted(value.items()))
        return f'<Item number="{number}">{inner}</Item>'
    if vr == "PN":
        groups = "".join(f"<{group}>{_name(text)}</{group}>" for group, text in value.items())
        return f'<PersonName number="{number}">{groups}</PersonName>'
    return f'<Value number="{number}">{_text(str(value))}</Value>'


def _name(text: str) -> str:
    # What stands behind the fifth component, where nothing may, stays with it.
    parts = zip(_NAME_PARTS, text.split("^", len(_NAME_PARTS) - 1), strict=False)
    return "".join(f"<{part}>{_text(value)}</{part}>" for part, value in parts if value)


def _text(text: str) -> str:
    # A reader of XML takes a bare carriage return for a line feed (XML 1.0 §2.11).
    return escape(_clean(text), {"\r": "&#13;"})


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
