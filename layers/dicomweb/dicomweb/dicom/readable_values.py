"""Values of the DICOM JSON Model as people read them: names, dates, times, codes, references. Pure.

Whatever stands in them is let pass: what has not the form it should have is shown as it is.
"""

import re
from collections.abc import Iterable
from typing import Any

from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.uids import registered_name

_DATE = re.compile(r"(\d{4})(\d{2})?(\d{2})?")
_TIME = re.compile(r"(\d{2})(\d{2})?(\d{2})?(?:\.\d{1,6})?")
_DATE_TIME = re.compile(r"(\d{4,8}?)(?:(?<=\d{8})(\d{2,6}(?:\.\d{1,6})?))?([+-]\d{4})?")
_NEW_LINE = re.compile(r"\r\n|\n\r|\r")
# Control characters: no text has them (PS3.5 §6.1.3), terminals obey them, HTML forbids them.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text with line feeds as its only control characters, beside tabs."""
    return _CONTROL.sub("\ufffd", _NEW_LINE.sub("\n", text)).strip("\n")


def date(text: str) -> str:
    """20240131 → 2024-01-31."""
    match = _DATE.fullmatch(text)
    return "-".join(part for part in match.groups() if part) if match else text


def time(text: str) -> str:
    """101500.25 → 10:15:00."""
    match = _TIME.fullmatch(text)
    return ":".join(part for part in match.groups() if part) if match else text


def date_time(text: str) -> str:
    """20240131101500.25+0100 → 2024-01-31 10:15:00 +01:00."""
    match = _DATE_TIME.fullmatch(text)
    if not match:
        return text
    day, hours, zone = match.groups()
    parts = (date(day), time(hours or ""), f"{zone[:3]}:{zone[3:]}" if zone else "")
    return " ".join(part for part in parts if part)


def person_name(value: Any) -> str:
    """Doe^Jane^M^Dr^MD → Dr Jane M Doe, MD; other groups of components in brackets (PS3.5 §6.2.1)."""
    if not isinstance(value, dict):
        return "" if value is None else str(value)
    groups = [str(value[group]) for group in ("Alphabetic", "Ideographic", "Phonetic") if value.get(group)]
    if not groups:
        return ""
    named, *others = map(_name, groups)
    return f"{named} ({', '.join(others)})" if others else named


def _name(group: str) -> str:
    family, given, middle, prefix, suffix = [part.strip() for part in (group + "^^^^").split("^", 4)]
    name = " ".join(part for part in (prefix, given, middle, family) if part)
    return ", ".join(part for part in (name, suffix.strip("^")) if part)


def code(item: DataSet | None, *, with_value: bool = False) -> str:
    """The meaning of a coded entry (PS3.3 §8.8), and its value when that is wanted or there is no meaning."""
    if not item:
        return ""
    # Code Value, Long Code Value, URN Code Value
    value = next((text for tag in ("00080100", "00080119", "00080120") if (text := text_of(item, tag))), "")
    meaning = text_of(item, "00080104")
    shown = ", ".join(part for part in (value, text_of(item, "00080102")) if part)
    if not meaning or not with_value:
        return meaning or shown
    return f"{meaning} ({shown})" if shown else meaning


def uid_name(uid: str) -> str:
    """The name that PS3.6 has for a UID, the UID where it has none."""
    return registered_name(uid) or uid


def values(document: DataSet, tag: str) -> list[Any]:
    """Every value that is not empty; none where the attribute is no such list."""
    attribute = document.get(tag)
    found = attribute.get("Value") if isinstance(attribute, dict) else None
    return [value for value in found if value is not None] if isinstance(found, list) else []


def listed(found: Iterable[Any], limit: int = 20) -> str:
    """A, B, C and how many more there are."""
    texts = [str(value) for value in found]
    more = f" … {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
