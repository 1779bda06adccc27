"""A search request's parameters (PS3.18 §8.3.4 and §10.6.1), read into one value. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomweb.dicom.uids import is_uid
from dicomweb.errors import InvalidQuery

_TAG = re.compile(r"([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})")
_KEYWORD = re.compile(r"[A-Z][A-Za-z0-9]*")
_RESERVED = frozenset({"limit", "offset", "includefield", "fuzzymatching", "accept"})

_DATE = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(\.\d{1,6})?)?"
_DATE_TIME = rf"\d{{4}}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])({_TIME})?)?)?([+-]\d{{4}})?"
# The form of a key's value (PS3.4 C.2.2.2.5): VR → (one value, what is expected).
_RANGES = {
    "DA": (re.compile(_DATE), "YYYYMMDD, or a range such as 20240101-20241231, 20240101- or -20241231"),
    "TM": (re.compile(_TIME), "HHMMSS.FFFFFF cut off anywhere, or a range such as 0800-1200"),
    "DT": (re.compile(_DATE_TIME), "YYYYMMDDHHMMSS.FFFFFF&ZZXX cut off anywhere, or a range"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute to match.

    Attributes:
        path: tags from the outermost sequence to the attribute; one for most.
        value: the pattern; "" matches everything (universal matching, PS3.4 C.2.2.2.3).
    """

    path: tuple[str, ...]
    vr: str
    value: str

    @property
    def tag(self) -> str:
        return self.path[0]


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched.

    Attributes:
        level: "study", "series" or "instance".
        keys: those that constrain; universal ones are in include.
        include: tags to return beside the defaults; "all" for every one.
        limit: the most rows the user agent wants; 0 leaves it to the server.
        ignored: parameters that are no attribute, said in a Warning.
    """

    level: str
    keys: tuple[Key, ...] = ()
    include: frozenset[str] = frozenset()
    limit: int = 0
    offset: int = 0
    ignored: tuple[str, ...] = ()


def parse_query(level: str, parameters: Iterable[tuple[str, str]], path: dict[str, str]) -> Query:
    """Read the parameters of a search.

    Args:
        parameters: decoded names and values, in order; names may repeat.
        path: StudyInstanceUID and SeriesInstanceUID from the URL; they constrain like keys.
    Raises:
        InvalidQuery: an unknown attribute, or a value that its VR cannot have; the message names it.
    """
    keys: list[Key] = [Key((tag,), "UI", uid) for tag, uid in path.items()]
    include: set[str] = set()
    ignored: list[str] = []
    numbers = {"limit": 0, "offset": 0}
    for name, value in parameters:
        if name in numbers:
            numbers[name] = _whole_number(name, value)
        elif name == "includefield":
            include.update(_include(value))
        elif name == "fuzzymatching":
            _check_fuzzy(value)
        elif name in _RESERVED or not name:
            continue
        elif _reads_as_attribute(name):
            tags = parse_path(name)
            include.add(tags[0])
            # `*` alone is universal matching too (PS3.4 C.2.2.2.4).
            if value.strip("*") or "?" in value:
                keys.append(_key(name, tags, value))
        else:
            ignored.append(name)
    return Query(level, tuple(keys), frozenset(include), numbers["limit"], numbers["offset"], tuple(ignored))


def parse_path(name: str) -> tuple[str, ...]:
    """Tags of an attribute ID: keyword, GGGGEEEE, GGGG,EEEE, or several of them joined by dots (PS3.18 §8.3.4.1)."""
    return tuple(_tag(part, name) for part in name.split("."))


def vr_of(tag: str) -> str:
    """The VR a standard attribute is matched as; UN for private and unknown ones."""
    try:
        return dictionary_VR(int(tag, 16))[:2]
    except KeyError:
        return "UN"


def _tag(part: str, name: str) -> str:
    if match := _TAG.fullmatch(part):
        return (match[1] + match[2]).upper()
    tag = tag_for_keyword(part)
    if tag is None:
        raise InvalidQuery(
            f"{name!r} is no attribute: expected a keyword such as PatientID, a tag such as 00100020, or such with dots"
        )
    return f"{tag:08X}"


def _reads_as_attribute(name: str) -> bool:
    first = name.split(".")[0]
    return bool(_TAG.fullmatch(first) or _KEYWORD.fullmatch(first))


def _include(value: str) -> Iterable[str]:
    for name in value.replace(",", " ").split() if not _TAG.fullmatch(value) else [value]:
        yield "all" if name == "all" else parse_path(name)[0]


def _whole_number(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 12:
        raise InvalidQuery(f"{name} must be a whole number, 0 or more; got {value!r}")
    return int(value)


def _check_fuzzy(value: str) -> None:
    if value not in ("true", "false"):
        raise InvalidQuery(f"fuzzymatching must be true or false; got {value!r}")


def _key(name: str, path: tuple[str, ...], value: str) -> Key:
    vr = vr_of(path[-1])
    if vr in _RANGES:
        form, expected = _RANGES[vr]
        if not all(form.fullmatch(end) for end in split_range(value, vr) if end is not None) or value == "-":
            raise InvalidQuery(f"{name}={value!r}: expected {expected}")
    elif vr == "UI":
        for uid in split_uids(value):
            if not is_uid(uid):
                raise InvalidQuery(f"{name}={value!r}: expected a UID or a list of UIDs, {uid!r} is none")
    elif vr == "SQ":
        raise InvalidQuery(f"{name} is a sequence: name the attribute in it, as in {name}.CodeValue")
    return Key(path, vr, value)


def split_uids(value: str) -> list[str]:
    """A list of UIDs is separated by `,` or `\\` (PS3.18 §8.3.4.1, PS3.4 C.2.2.2.2)."""
    return [uid.strip() for uid in re.split(r"[,\\]", value) if uid.strip()]


def split_range(value: str, vr: str) -> tuple[str | None, str | None]:
    """(from, to) of a date or time key; both the same for a single value, None for an open end (PS3.4 C.2.2.2.5)."""
    if vr == "DT":
        # A hyphen is also the sign of an offset from UTC: it is one when four digits and the end or a hyphen follow.
        match = re.fullmatch(r"([\d.]*(?:[+-]\d{4}(?=-|$))?)-([\d.]*(?:[+-]\d{4})?)", value)
        if match is None or re.fullmatch(_DATE_TIME, value):
            return value, value
        return match[1] or None, match[2] or None
    if "-" not in value:
        return value, value
    low, _, high = value.partition("-")
    return low or None, high or None
