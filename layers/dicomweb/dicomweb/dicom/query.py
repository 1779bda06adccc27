"""A search request's parameters (PS3.18 §8.3.4 and §10.6.1), read into one value. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydicom.datadict import dictionary_VR, tag_for_keyword

from dicomweb.dicom.date_time import TIME_OF, earliest, latest, offset_of
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import InvalidQuery

_TAG = re.compile(r"([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})")
_KEYWORD = re.compile(r"[A-Z][A-Za-z0-9]*")
_FLAGS = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
_NUMBERS = ("limit", "offset")
_OTHERS = frozenset({"accept", "charset", ""})  # content negotiation, and the empty keys that some clients send

_MOST_STEPS = 16  # of a dotted path
_MOST_VALUES = 1000  # UIDs, or values of multiplevaluematching, in one key
_MOST_KEYS = 100
EMPTY = '""'  # with emptyvaluematching: the attribute has no value (PS3.4 C.2.2.2.7)
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
DATE_AND_TIME = "DA+TM"
TIMEZONE, CHARACTER_SET = "00080201", "00080005"

_DATE = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(\.\d{1,6})?)?"
_DATE_TIME = rf"\d{{4}}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])({_TIME})?)?)?([+-]\d{{4}})?"
# The form of one end of a range (PS3.4 C.2.2.2.5): VR → (form, what is expected).
_RANGES = {
    "DA": (re.compile(_DATE), "YYYYMMDD, or a range such as 20240101-20241231, 20240101- or -20241231"),
    "TM": (re.compile(_TIME), "HHMMSS.FFFFFF cut off anywhere, or a range such as 0800-1200"),
    "DT": (re.compile(_DATE_TIME), "YYYYMMDDHHMMSS.FFFFFF&ZZXX cut off anywhere, or a range"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A range of dates, times or moments as its two ends are written; None is an open end."""

    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute to match.

    Attributes:
        path: tags from the outermost sequence to the attribute; one for most.
        vr: how values are compared; DATE_AND_TIME is a date with the time that completes it.
        values: patterns; the attribute matches when it matches one of them.
        spans: instead of values, for dates and times.
        empty: the attribute must have no value.
        creator: the private creator of a private attribute, whose block may be another one in each file.
    """

    path: tuple[str, ...]
    vr: str
    values: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    empty: bool = False
    creator: str = ""

    @property
    def tag(self) -> str:
        return self.path[0]

    @property
    def pattern(self) -> str:
        """The only pattern of an attribute that is in no sequence; "" when there are several, or none."""
        return self.values[0] if len(self.values) == 1 and len(self.path) == 1 else ""


@dataclass(frozen=True, slots=True)
class PrivateAttribute:
    """An entry of the private dictionary; the block of its tag is that of its creator in each file."""

    tag: str
    vr: str
    creator: str


def private_dictionary(entries: Mapping[str, list[str | int]], creator: str) -> dict[str, PrivateAttribute]:
    """By name, from Orthanc's form: {"0021,10ae": ["IS", "Name", 1, 1, "Creator"]}; creator for those without."""
    return {
        str(entry[1]): PrivateAttribute(
            tag.replace(",", "").upper(), str(entry[0]), str(entry[4]) if len(entry) > 4 else creator
        )
        for tag, entry in entries.items()
    }


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched.

    Attributes:
        level: "study", "series" or "instance".
        keys: those that constrain; universal ones are in include.
        include: tags to return beside the defaults; "all" for every one.
        limit: the most rows the user agent wants; 0 leaves it to the server.
        order: (tag, descending) of an order other than the usual one.
        timezone: what dates and times of keys are in; None: whatever the files are in.
        ignored: parameters that are no attribute, said in a Warning.
    """

    level: str
    keys: tuple[Key, ...] = ()
    include: frozenset[str] = frozenset()
    limit: int = 0
    offset: int = 0
    fuzzy: bool = False
    order: tuple[tuple[str, bool], ...] = ()
    timezone: timedelta | None = None
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    keys: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)  # name, path, value
    include: set[str] = field(default_factory=set)
    flags: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(_FLAGS, False))
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_NUMBERS, 0))
    order: list[tuple[str, bool]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def parse_query(
    level: str,
    parameters: Iterable[tuple[str, str]],
    path: Mapping[str, str],
    private: Mapping[str, PrivateAttribute] | None = None,
    *,
    ignore_unknown: bool = False,
) -> Query:
    """Read the parameters of a search.

    Args:
        parameters: decoded names and values, in order; names may repeat.
        path: StudyInstanceUID and SeriesInstanceUID from the URL, by tag; they constrain like keys.
        private: the private dictionary, by name.
        ignore_unknown: an attribute that is none is ignored, and said so, instead of refused.
    Raises:
        InvalidQuery: an unknown attribute, or a value that its VR cannot have; the message names it.
    """
    private = private or {}
    draft = _Draft()
    for name, value in parameters:
        if any(ord(char) < 0x20 for char in name + value) or "\ufffd" in name + value:
            raise InvalidQuery(f"{name!r} has control characters or is no UTF-8")
        try:
            _read_parameter(draft, name, value, private)
        except _Unknown:
            if not ignore_unknown:
                raise
            draft.ignored.append(name)
    if len(draft.keys) > _MOST_KEYS:
        raise InvalidQuery(f"{len(draft.keys)} keys; expected at most {_MOST_KEYS}")
    return _finish(level, draft, path, private)


def parse_path(name: str) -> tuple[str, ...]:
    """Tags of an attribute ID: keyword, GGGGEEEE, GGGG,EEEE, or several of them joined by dots (PS3.18 §8.3.4.1)."""
    parts = name.split(".")
    if len(parts) > _MOST_STEPS:
        raise InvalidQuery(f"{name[:60]!r}… has {len(parts)} steps; expected at most {_MOST_STEPS}")
    return tuple(_tag(part, name) for part in parts)


def vr_of(tag: str) -> str:
    """The VR a standard attribute is matched as; UN for private and unknown ones."""
    try:
        return dictionary_VR(int(tag, 16))[:2]
    except KeyError:
        return "UN"


def split_uids(value: str) -> tuple[str, ...]:
    """A list of UIDs is separated by `,` or `\\` (PS3.18 §8.3.4.1, PS3.4 C.2.2.2.2)."""
    return tuple(uid.strip() for uid in re.split(r"[,\\]", value) if uid.strip())


class _Unknown(InvalidQuery):
    """A name that reads as an attribute and is none."""


def _read_parameter(draft: _Draft, name: str, value: str, private: Mapping[str, PrivateAttribute]) -> None:
    if name in _NUMBERS:
        draft.numbers[name] = _whole_number(name, value)
    elif name in _FLAGS:
        draft.flags[name] = _flag(name, value)
    elif name == "includefield":
        draft.include.update(_include(value, private))
    elif name == "orderby":
        draft.order += _order(value)
    elif name in private:
        draft.keys.append((name, (private[name].tag,), value))
    elif _reads_as_attribute(name):
        path = parse_path(name)
        if path != (CHARACTER_SET,):  # never matched (PS3.4 C.2.2.2)
            draft.keys.append((name, path, value))
    elif name not in _OTHERS:
        draft.ignored.append(name)


def _finish(level: str, draft: _Draft, path: Mapping[str, str], private: Mapping[str, PrivateAttribute]) -> Query:
    keys = [Key((tag,), "UI", (uid,)) for tag, uid in path.items()]
    timezone = None
    # A private creator beside a private attribute says whose it is (PS3.5 §7.8.1).
    creators = {tags[0]: value for _, tags, value in draft.keys if _is_private_creator(tags)}
    for name, tags, value in draft.keys:
        if tags == (TIMEZONE,):
            timezone = offset_of(value)
            if value and timezone is None:
                raise InvalidQuery(f"{name}={value!r}: expected an offset from UTC such as +0100")
            continue
        if not (
            _is_private_creator(tags) and any(t[:4] == tags[0][:4] and t != tags[0] for _, (t, *_), _ in draft.keys)
        ):
            draft.include.add(tags[0])
        # `*` alone is universal matching (PS3.4 C.2.2.2.4), and so is no value (C.2.2.2.3).
        if value.strip("*"):
            keys.append(_key(name, tags, value, draft.flags, creators, private))
    return Query(
        level,
        tuple(_combined(keys)),
        frozenset(draft.include | {tag for tag, _ in draft.order}),
        draft.numbers["limit"],
        draft.numbers["offset"],
        draft.flags["fuzzymatching"],
        tuple(draft.order),
        timezone,
        tuple(draft.ignored),
    )


def _key(
    name: str,
    path: tuple[str, ...],
    value: str,
    flags: Mapping[str, bool],
    creators: Mapping[str, str],
    private: Mapping[str, PrivateAttribute],
) -> Key:
    vr = private[name].vr if name in private else vr_of(path[-1])
    creator = private[name].creator if name in private else ""
    if not creator and int(path[0][:4], 16) & 1 and path[0][4:6] != "00":
        creator = creators.get(f"{path[0][:4]}00{path[0][4:6]}", "")
    if flags["emptyvaluematching"] and value == EMPTY:
        return Key(path, vr, empty=True, creator=creator)
    if vr in BINARY:
        raise InvalidQuery(f"{name} is binary ({vr}): its value cannot be matched")
    if vr == "SQ":
        raise InvalidQuery(f"{name} is a sequence: name the attribute in it, as in {name}.CodeValue")
    if vr == "UI":
        values = split_uids(value)
        for uid in values:
            if not is_uid(uid):
                raise InvalidQuery(f"{name}={value[:80]!r}: expected a UID or a list of UIDs, {uid[:80]!r} is none")
    else:
        # The values of a list are separated as those of an attribute are (PS3.4 C.2.2.2.8).
        values = tuple(value.split("\\")) if flags["multiplevaluematching"] else (value,)
    if len(values) > _MOST_VALUES:
        raise InvalidQuery(f"{name} has {len(values)} values; expected at most {_MOST_VALUES}")
    if vr in _RANGES:
        return Key(path, vr, spans=tuple(_span(name, each, vr) for each in values), creator=creator)
    return Key(path, vr, values, creator=creator)


def _span(name: str, value: str, vr: str) -> Span:
    form, expected = _RANGES[vr]
    span = _split_range(value, vr)
    ends = [end for end in (span.low, span.high) if end is not None]
    if not ends or not all(form.fullmatch(end) for end in ends):
        raise InvalidQuery(f"{name}={value[:80]!r}: expected {expected}")
    day = "20000101" if vr == "TM" else ""
    moments = [
        earliest(day + (span.low or "")) if span.low else None,
        latest(day + (span.high or "")) if span.high else None,
    ]
    if any(end and moment is None for end, moment in zip((span.low, span.high), moments, strict=True)):
        raise InvalidQuery(f"{name}={value[:80]!r}: no such date")
    low, high = moments
    if isinstance(low, datetime) and isinstance(high, datetime) and low > high:
        raise InvalidQuery(f"{name}={value[:80]!r}: the range ends before it begins")
    return span


def _split_range(value: str, vr: str) -> Span:
    if vr == "DT":
        # A hyphen is also the sign of an offset from UTC: it is one when four digits and the end or a hyphen follow.
        match = re.fullmatch(r"([\d.]*(?:[+-]\d{4}(?=-|$))?)-([\d.]*(?:[+-]\d{4})?)", value)
        if match is None or re.fullmatch(_DATE_TIME, value):
            return Span(value, value)
        return Span(match[1] or None, match[2] or None)
    if "-" not in value:
        return Span(value, value)
    low, _, high = value.partition("-")
    return Span(low or None, high or None)


def _combined(keys: list[Key]) -> list[Key]:
    """A date and its time, both ranges of the same form, are one range of moments (PS3.4 C.2.2.2.5)."""
    by_path = {key.path: key for key in keys if len(key.spans) == 1}
    combined: list[Key] = []
    done: set[tuple[str, ...]] = set()
    for key in keys:
        time = by_path.get((*key.path[:-1], TIME_OF.get(key.path[-1], "")))
        if key.path in by_path and time and _is_range(key) and _form(key) == _form(time):
            low, high = key.spans[0].low, key.spans[0].high
            ends = Span(low and low + (time.spans[0].low or ""), high and high + (time.spans[0].high or ""))
            combined.append(replace(key, vr=DATE_AND_TIME, spans=(ends,)))
            done.add(time.path)
        else:
            combined.append(key)
    return [key for key in combined if key.path not in done]


def _is_range(key: Key) -> bool:
    return key.spans[0].low != key.spans[0].high


def _form(key: Key) -> tuple[bool, bool]:
    """Which ends a range has."""
    return key.spans[0].low is not None, key.spans[0].high is not None


def _include(value: str, private: Mapping[str, PrivateAttribute]) -> Iterable[str]:
    for name in [value] if _TAG.fullmatch(value) else value.replace(",", " ").split():
        yield "all" if name == "all" else private[name].tag if name in private else parse_path(name)[0]


def _order(value: str) -> Iterable[tuple[str, bool]]:
    for name in value.replace(",", " ").split():
        yield parse_path(name.lstrip("+-"))[0], name.startswith("-")


def _tag(part: str, name: str) -> str:
    if match := _TAG.fullmatch(part):
        return (match[1] + match[2]).upper()
    tag = tag_for_keyword(part)
    if tag is None:
        raise _Unknown(
            f"{name[:80]!r} is no attribute: "
            "expected a keyword such as PatientID, a tag such as 00100020, or several with dots"
        )
    return f"{tag:08X}"


def _reads_as_attribute(name: str) -> bool:
    first = name.split(".")[0]
    return bool(_TAG.fullmatch(first) or _KEYWORD.fullmatch(first))


def _is_private_creator(path: tuple[str, ...]) -> bool:
    return len(path) == 1 and int(path[0][:4], 16) & 1 == 1 and path[0][4:6] == "00"


def _whole_number(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 12:
        raise InvalidQuery(f"{name} must be a whole number, 0 or more; got {value[:80]!r}")
    return int(value)


def _flag(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise InvalidQuery(f"{name} must be true or false; got {value[:80]!r}")
    return value == "true"
