"""Keys: an attribute and what it must match, from the text of a parameter (PS3.18 §8.3.4.1, PS3.4 C.2.2.2). Pure."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime

from dicomweb.dicom.date_time import TIME_OF, earliest, latest
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import InvalidQuery

_MOST_VALUES = 1000  # UIDs, or values of multiplevaluematching, in one key
EMPTY = '""'  # with emptyvaluematching: the attribute has no value (PS3.4 C.2.2.2.7)
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
DATE_AND_TIME = "DA+TM"

_DATE = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?(\.\d{1,6})?)?"
_OFFSET = r"[+-](?:0\d|1[0-4])[0-5]\d"  # from UTC: -1200 to +1400 (PS3.5 §6.2 DT)
_DATE_TIME = rf"\d{{4}}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])({_TIME})?)?)?({_OFFSET})?"
# The form of one end of a range (PS3.4 C.2.2.2.5): VR → (form, what is expected).
RANGES = {
    "DA": (re.compile(_DATE, re.ASCII), "YYYYMMDD, or a range such as 20240101-20241231, 20240101- or -20241231"),
    "TM": (re.compile(_TIME, re.ASCII), "HHMMSS.FFFFFF cut off anywhere, or a range such as 0800-1200"),
    "DT": (re.compile(_DATE_TIME, re.ASCII), "YYYYMMDDHHMMSS.FFFFFF&ZZXX cut off anywhere, or a range"),
}
_DT_RANGE = re.compile(rf"([\d.]*(?:{_OFFSET}(?=-|$))?)-([\d.]*(?:{_OFFSET})?)", re.ASCII)
_INTEGER = re.compile(r" *[+-]?\d{1,20} *", re.ASCII), "a whole number"
_DECIMAL = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII), "a number"
INTEGERS, DECIMALS = ("IS", "SL", "SS", "SV", "UL", "US", "UV"), ("DS", "FL", "FD")
NUMBERS = frozenset(INTEGERS + DECIMALS)
# The form of a single value (PS3.5 §6.2): no wild cards in these.
_FORMS = {
    **dict.fromkeys(INTEGERS, _INTEGER),
    **dict.fromkeys(DECIMALS, _DECIMAL),
    "AS": (re.compile(r"\d{3}[DWMY]", re.ASCII), "an age such as 045Y"),
    "AT": (re.compile(r"[0-9A-Fa-f]{8}"), "a tag such as 00100020"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A range of dates, times or moments as its two ends are written; None is an open end."""

    low: str | None
    high: str | None

    @property
    def is_range(self) -> bool:
        return self.low != self.high


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


def make_key(
    name: str, path: tuple[str, ...], vr: str, value: str, *, several: bool = False, creator: str = ""
) -> Key | None:
    """The key of one parameter; None when its value is universal (PS3.4 C.2.2.2.3 and C.2.2.2.4).

    Args:
        name: of the parameter, for errors.
        several: multiplevaluematching: `\\` separates values (PS3.4 C.2.2.2.8).
    Raises:
        InvalidQuery: the VR cannot have such a value, or cannot be matched.
    """
    if not value.strip(" *"):
        return None
    if vr in BINARY:
        raise InvalidQuery(f"{name} is binary ({vr}): its value cannot be matched")
    if vr == "SQ":
        raise InvalidQuery(f"{name} is a sequence: name the attribute in it, as in {name}.CodeValue")
    values = _values(name, vr, value, several)
    if len(values) > _MOST_VALUES:
        raise InvalidQuery(f"{name} has {len(values)} values; expected at most {_MOST_VALUES}")
    if vr in RANGES:
        return Key(path, vr, spans=tuple(parse_span(name, each, vr) for each in values), creator=creator)
    if vr in _FORMS:
        form, expected = _FORMS[vr]
        for each in values:
            if not form.fullmatch(each):
                raise InvalidQuery(f"{name}={value[:80]!r}: expected {expected}")
    return Key(path, vr, values, creator=creator)


def _values(name: str, vr: str, value: str, several: bool) -> tuple[str, ...]:
    if vr == "UI":
        # A list of UIDs is separated by `,` or `\` (PS3.18 §8.3.4.1, PS3.4 C.2.2.2.2).
        values = tuple(uid.strip() for uid in re.split(r"[,\\]", value) if uid.strip())
        for uid in values or ("",):
            if not is_uid(uid):
                raise InvalidQuery(f"{name}={value[:80]!r}: expected a UID or a list of UIDs, {uid[:80]!r} is none")
        return values
    if vr == "CS":
        # Neither can be in a code: viewers ask for ModalitiesInStudy=CT,MR.
        return tuple(each for each in re.split(r"[,\\]", value) if each.strip()) or (value,)
    return tuple(value.split("\\")) if several else (value,)


def parse_span(name: str, value: str, vr: str) -> Span:
    """A date, a time or a moment, or a range of them.

    Raises:
        InvalidQuery: of another form, no such date, or its end is before its beginning.
    """
    form, expected = RANGES[vr]
    span = _split_range(value.strip(), vr)
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
        # A hyphen is also the sign of an offset from UTC: it is one when an offset and the end or a hyphen follow.
        match = _DT_RANGE.fullmatch(value)
        if match is None or RANGES["DT"][0].fullmatch(value):
            return Span(value, value)
        return Span(match[1] or None, match[2] or None)
    if "-" not in value:
        return Span(value, value)
    low, _, high = value.partition("-")
    return Span(low or None, high or None)


def combine(keys: list[Key]) -> list[Key]:
    """A date and its time, both ranges of the same form, are one range of moments (PS3.4 C.2.2.2.5)."""
    count = Counter(key.path for key in keys)
    ranges = {key.path: key for key in keys if len(key.spans) == 1 and key.spans[0].is_range and count[key.path] == 1}
    combined: list[Key] = []
    done: set[tuple[str, ...]] = set()
    for key in keys:
        time = ranges.get((*key.path[:-1], TIME_OF.get(key.path[-1], "")))
        if key.path in ranges and time and _form(key) == _form(time):
            low, high = key.spans[0].low, key.spans[0].high
            ends = Span(low and low + (time.spans[0].low or ""), high and high + (time.spans[0].high or ""))
            combined.append(replace(key, vr=DATE_AND_TIME, spans=(ends,)))
            done.add(time.path)
        else:
            combined.append(key)
    return [key for key in combined if key.path not in done]


def _form(key: Key) -> tuple[bool, bool]:
    """Which ends a range has."""
    return key.spans[0].low is not None, key.spans[0].high is not None
