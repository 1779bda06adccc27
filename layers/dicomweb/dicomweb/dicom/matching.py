"""Attribute matching (PS3.18 §8.3.4, PS3.4 C.2.2.2): one matcher decides every row, whatever path found it. Pure."""

import fnmatch
import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from dicomweb.dicom.attribute_names import in_block_of
from dicomweb.dicom.date_time import DATE_OF, TIME_OF, earliest, latest, offset_of, plain, shifted
from dicomweb.dicom.folding import NAME_GROUPS, fold, fold_by_character, fold_piece, name_texts, name_words, plain_name
from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.match_keys import DATE_AND_TIME, NUMBERS, RANGES, Key, Span, parse_span
from dicomweb.errors import InvalidQuery

_TIMEZONE = "00080201"
_COMPONENTS = 5  # of a name's group (PS3.5 §6.2.1)


@dataclass(frozen=True, slots=True)
class Matching:
    """How a search compares.

    Attributes:
        case_sensitive: case and accents count.
        fuzzy: names match when their words begin alike or differ in a letter (PS3.4 C.2.2.2.1.2 leaves the way to us).
        timezone: what the dates and times of keys are in; None: whatever the files are in.
    """

    case_sensitive: bool = False
    fuzzy: bool = False
    timezone: timedelta | None = None


def matches(document: DataSet, keys: Iterable[Key], how: Matching = Matching()) -> bool:  # noqa: B008 — frozen
    """Whether a data set matches all keys.

    A multi-valued attribute matches when one of its values does, and a key of several values when one of them does. An
    absent or empty attribute matches empty value matching alone. Keys of one sequence must match in one of its items.
    """
    return _match(document, keys, how, text_of(document, _TIMEZONE))


def _match(document: DataSet, keys: Iterable[Key], how: Matching, timezone: str) -> bool:
    in_items: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        tag = in_block_of(document, key.tag, key.creator) if key.creator else key.tag
        if len(key.path) > 1:
            in_items[tag].append(replace(key, path=key.path[1:], creator=""))
        elif not _matches(document, tag, key, how, timezone):
            return False
    return all(_match_items(document.get(tag, {}), inner, how, timezone) for tag, inner in in_items.items())


def _match_items(sequence: dict[str, Any], keys: list[Key], how: Matching, timezone: str) -> bool:
    """One item must match all keys (PS3.4 C.2.2.2.6)."""
    items = [item for item in sequence.get("Value", ()) if isinstance(item, dict)]
    return any(_match(item, keys, how, timezone) for item in items) or (not items and all(key.empty for key in keys))


def _matches(document: DataSet, tag: str, key: Key, how: Matching, timezone: str) -> bool:
    attribute = document.get(tag, {})
    values = [value for value in attribute.get("Value", ()) if value is not None]
    if key.empty:  # PS3.4 C.2.2.2.7
        return not values and "BulkDataURI" not in attribute
    vr = str(attribute.get("vr", "")) if key.vr == "UN" else key.vr
    spans = key.spans or (_spans(key.values, vr) if vr in RANGES else ())
    if spans:
        return any(_in_span(document, tag, vr, value, span, how, timezone) for value in values for span in spans)
    rule = _RULES.get(vr, _text)
    return any(rule(value, wanted, how) for value in values for wanted in key.values)


@lru_cache(maxsize=64)
def _spans(values: tuple[str, ...], vr: str) -> tuple[Span, ...]:
    """The ranges of a key whose VR only the file knows."""
    try:
        return tuple(parse_span("", value, vr) for value in values)
    except InvalidQuery:
        return ()


# Dates and times (PS3.4 C.2.2.2.5)


def _in_span(document: DataSet, tag: str, vr: str, value: Any, span: Span, how: Matching, timezone: str) -> bool:
    text = plain(str(value))
    if vr == "DT":
        return _is_in_date_times(text, span, timezone, how)
    day = ""
    if vr == "TM":
        day = "20000101"
        moment = _moment(text_of(document, DATE_OF.get(tag, "")), text, timezone, how) or earliest(day + text)
        moment = moment and moment.replace(2000, 1, 1)
    else:
        # The time moves a date when it is seen from another timezone.
        moment = _moment(text, text_of(document, TIME_OF.get(tag, "")), timezone, how) or _date(text)
        if vr != DATE_AND_TIME:
            moment = moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)
    low, high = earliest(day + (span.low or "")), latest(day + (span.high or ""))
    return moment is not None and (not span.low or _order(low, moment)) and (not span.high or _order(moment, high))


def _order(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and second is not None and first <= second


def _date(text: str) -> datetime | None:
    """Less than a day is no date (PS3.5 §6.2)."""
    return earliest(text) if len(text) == 8 else None


def _moment(date: str, time: str, timezone: str, how: Matching) -> datetime | None:
    """A stored date and time as the key sees them: in the key's timezone, when both are known."""
    date, time, stored = plain(date), plain(time), offset_of(timezone)
    moment = earliest(date + time) if len(date) == 8 and time else None
    if moment is None or how.timezone is None or stored is None:
        return moment
    return shifted(moment, how.timezone - stored)


def _is_in_date_times(text: str, span: Span, timezone: str, how: Matching) -> bool:
    stored = _known(offset_of(text[-5:]), offset_of(timezone))

    def in_order(end: str, moment: datetime | None, *, is_low: bool) -> bool:
        own, value = _known(offset_of(end[-5:]), how.timezone), earliest(text)
        if stored is not None and own is not None and moment is not None and value is not None:
            moment, value = shifted(moment, -own), shifted(value, -stored)
        return _order(moment, value) if is_low else _order(value, moment)

    return (not span.low or in_order(span.low, earliest(span.low), is_low=True)) and (
        not span.high or in_order(span.high, latest(span.high), is_low=False)
    )


def _known(*offsets: timedelta | None) -> timedelta | None:
    return next((offset for offset in offsets if offset is not None), None)


# Numbers and UIDs


def _uid(value: Any, wanted: str, _how: Matching) -> bool:
    return bool(value == wanted)


def _number(value: Any, wanted: str, _how: Matching) -> bool:
    try:
        return float(value) == float(wanted)
    except (TypeError, ValueError):
        return str(value).strip() == wanted.strip()


def _single_precision(value: Any, wanted: str, how: Matching) -> bool:
    try:
        return struct.pack("f", float(value)) == struct.pack("f", float(wanted))
    except (TypeError, ValueError, OverflowError):
        return _number(value, wanted, how)


# Text


def _text(value: Any, wanted: str, how: Matching) -> bool:
    return _is_like(str(value).strip(), wanted.strip(), how)


def _person_name(value: Any, wanted: str, how: Matching) -> bool:
    if "=" in wanted:  # each group of the key against the same group of the name (PS3.5 §6.2.1.1)
        groups = value if isinstance(value, dict) else {"Alphabetic": str(value)}
        pairs = zip(NAME_GROUPS, wanted.split("="), strict=False)
        return all(
            _group(plain_name(str(groups.get(group) or "")), each, how) for group, each in pairs if each.strip("^ ")
        )
    return any(_group(text, wanted, how) for text in name_texts(value))


def _group(name: str, wanted: str, how: Matching) -> bool:
    wanted = plain_name(wanted)
    # Components that are empty at the end are there all the same: Doe^* is Doe too.
    written = [name + "^" * empty for empty in range(_COMPONENTS - name.count("^"))] if "^" in wanted else [name]
    return any(_is_like(each, wanted, how) for each in written) or (how.fuzzy and _sounds_like(name, wanted))


def _sounds_like(name: str, wanted: str) -> bool:
    """Every word of the key begins a word of the name, or differs from one in a letter; in any order."""
    words = name_words(name)
    return all(any(_is_close(word, each) for word in words) for each in name_words(wanted)) and bool(name_words(wanted))


def _is_close(word: str, wanted: str) -> bool:
    if word.startswith(wanted):
        return True
    # One letter more, less, other, or swapped with the next, behind the first three: those lead to the index, and keep
    # a short word from being like every other.
    return word[:3] == wanted[:3] and len(wanted) >= 4 and abs(len(word) - len(wanted)) <= 1 and _one_edit(word, wanted)


def _one_edit(a: str, b: str) -> bool:
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest_a, rest_b = a[start:], b[start:]
    return (
        rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
        or (rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:])
    )


def _is_like(text: str, wanted: str, how: Matching) -> bool:
    """Wild card matching (PS3.4 C.2.2.2.4): `*` is any run of characters, `?` is one."""
    pattern = _pattern(wanted, how.case_sensitive)
    if pattern.fullmatch(text if how.case_sensitive else fold(text)):
        return True
    one_by_one = "?" in wanted and not how.case_sensitive and not text.isascii()
    return one_by_one and pattern.fullmatch(fold_by_character(text)) is not None


@lru_cache(maxsize=512)
def _pattern(wanted: str, case_sensitive: bool) -> re.Pattern[str]:
    # fnmatch's translation takes linear time, however many `*` there are; `[` is no wild card in DICOM.
    # The pieces between wild cards are folded one by one: folding makes `*` of other characters.
    pieces = re.split(r"([*?])", wanted)
    if not case_sensitive:
        pieces[::2] = [fold_piece(piece) for piece in pieces[::2]]
        # As of the text: an accent that stands alone folds to a space.
        pieces[0], pieces[-1] = pieces[0].lstrip(), pieces[-1].rstrip()
    pieces[::2] = [re.sub(r"([*?[])", r"[\1]", piece) for piece in pieces[::2]]
    return re.compile(fnmatch.translate("".join(pieces)))


_RULES: dict[str, Callable[[Any, str, Matching], bool]] = {
    **dict.fromkeys(NUMBERS, _number),
    "UI": _uid,
    "PN": _person_name,
    "FL": _single_precision,
}
