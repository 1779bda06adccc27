"""Attribute matching (PS3.18 §8.3.4, PS3.4 C.2.2.2): one matcher decides every row, whatever path found it. Pure."""

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from dicomweb.dicom.date_time import DATE_OF, TIME_OF, earliest, latest, offset_of, plain, shifted
from dicomweb.dicom.json_model import DataSet, text_of
from dicomweb.dicom.query import TIMEZONE, Key, Span

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


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


def matches(document: DataSet, key: Key, how: Matching = Matching()) -> bool:  # noqa: B008 — frozen
    """Whether an attribute of a data set matches a key.

    A multi-valued attribute matches when one of its values does, and a key of several values when one of them does. An
    absent or empty attribute matches universal keys and empty value matching alone.
    """
    if key.creator:
        document, key = _in_its_block(document, key)
    return _matches(document, key.path, key, how, text_of(document, TIMEZONE))


def fold(text: str) -> str:
    """Text without case and accents: what two names must share to be the same for a search."""
    return _fold(text).strip()


def name_texts(value: object) -> list[str]:
    """The component groups of a person name in the DICOM JSON Model, trailing delimiters cut."""
    if isinstance(value, dict):
        return [str(value[group]).rstrip("^ ") for group in NAME_GROUPS if value.get(group)]
    return [str(value)]


def _matches(document: DataSet, path: tuple[str, ...], key: Key, how: Matching, timezone: str) -> bool:
    attribute = document.get(path[0], {})
    values = [value for value in attribute.get("Value", ()) if value is not None]
    if len(path) > 1:  # sequence matching: one item is enough (PS3.4 C.2.2.2.6)
        items = [value for value in values if isinstance(value, dict)]
        return any(_matches(item, path[1:], key, how, timezone) for item in items) or (key.empty and not items)
    if key.empty:  # PS3.4 C.2.2.2.7
        return not values
    if key.spans:
        return any(
            _in_span(document, path[0], value, key, span, how, timezone) for value in values for span in key.spans
        )
    vr = str(attribute.get("vr", "")) if key.vr == "UN" else key.vr
    rule = _RULES.get(vr, _text)
    return any(rule(value, wanted, how) for value in values for wanted in key.values)


def _in_its_block(document: DataSet, key: Key) -> tuple[DataSet, Key]:
    """A private attribute where its creator has reserved a block (PS3.5 §7.8.1)."""
    group = key.path[0][:4]
    for block in range(0x10, 0x100):
        if text_of(document, f"{group}00{block:02X}") == key.creator:
            tag = f"{group}{block:02X}{key.path[0][6:]}"
            return document, Key((tag, *key.path[1:]), key.vr, key.values, key.spans, key.empty)
    return {}, Key(key.path, key.vr, key.values, key.spans, key.empty)


# Dates and times (PS3.4 C.2.2.2.5)


def _in_span(document: DataSet, tag: str, value: Any, key: Key, span: Span, how: Matching, timezone: str) -> bool:
    text = plain(str(value))
    if key.vr == "DT":
        return _is_in_date_times(text, span, timezone, how)
    day = ""
    if key.vr == "TM":
        day = "20000101"
        moment = _moment(text_of(document, DATE_OF.get(tag, "")) or day, text, timezone, how)
        moment = moment and moment.replace(2000, 1, 1)
    else:
        # The time moves a date when it is seen from another timezone. Less than a day is no date (PS3.5 §6.2).
        time = text_of(document, TIME_OF.get(tag, ""))
        moment = _moment(text, time, timezone, how) if len(text) == 8 else None
        if key.vr == "DA":
            moment = moment and moment.replace(hour=0, minute=0, second=0, microsecond=0)
    low, high = earliest(day + (span.low or "")), latest(day + (span.high or ""))
    return moment is not None and (not span.low or _order(low, moment)) and (not span.high or _order(moment, high))


def _order(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and second is not None and first <= second


def _moment(date: str, time: str, timezone: str, how: Matching) -> datetime | None:
    """A stored date and time as the key sees them: in the key's timezone, when both are known."""
    moment = earliest(plain(date) + (plain(time) if len(plain(date)) == 8 else ""))
    stored = offset_of(timezone)
    if moment is None or how.timezone is None or stored is None or not time:
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


# Text


def _uid(value: Any, wanted: str, _how: Matching) -> bool:
    return bool(value == wanted)


def _number(value: Any, wanted: str, how: Matching) -> bool:
    try:
        return float(value) == float(wanted)
    except (TypeError, ValueError):
        return _text(value, wanted, how)


def _text(value: Any, wanted: str, how: Matching) -> bool:
    text = str(value).strip()
    return (
        _pattern(wanted.strip(), how.case_sensitive).fullmatch(text if how.case_sensitive else fold(text)) is not None
    )


def _person_name(value: Any, wanted: str, how: Matching) -> bool:
    groups = value if isinstance(value, dict) else {"Alphabetic": str(value)}
    if "=" in wanted:  # each group of the key against the same group of the name (PS3.5 §6.2.1.1)
        pairs = zip(NAME_GROUPS, wanted.split("="), strict=False)
        return all(_group(str(groups.get(group, "")), each, how) for group, each in pairs if each.strip("^ "))
    return any(_group(text, wanted, how) for text in name_texts(value))


def _group(name: str, wanted: str, how: Matching) -> bool:
    name, wanted = name.rstrip("^ "), wanted.rstrip("^ ")
    if _pattern(wanted, how.case_sensitive).fullmatch(name if how.case_sensitive else fold(name)):
        return True
    return how.fuzzy and _sounds_like(name, wanted)


def _sounds_like(name: str, wanted: str) -> bool:
    """Every word of the key begins a word of the name, or differs from one in a letter; in any order."""
    words = name_words(name)
    return all(any(_is_close(word, each) for word in words) for each in name_words(wanted)) and bool(name_words(wanted))


def name_words(name: str) -> list[str]:
    """The words of a name, folded, without wild cards."""
    return re.findall(r"\w+", fold(name.replace("*", " ").replace("?", " ")))


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


@lru_cache(maxsize=512)
def _pattern(wanted: str, case_sensitive: bool) -> re.Pattern[str]:
    """`*` is any run of characters, `?` is one (PS3.4 C.2.2.2.4)."""
    # fnmatch's translation takes linear time, however many `*` there are; `[` is no wild card in DICOM.
    # The pieces between wild cards are folded one by one: folding makes `*` of other characters.
    pieces = re.split(r"([*?])", wanted)
    if not case_sensitive:
        pieces[::2] = [_fold(piece) for piece in pieces[::2]]
    pieces[::2] = [re.sub(r"([*?[])", r"[\1]", piece) for piece in pieces[::2]]
    return re.compile(fnmatch.translate("".join(pieces)))


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Decomposed twice: what a compatibility form stands for may have case, and what casefold makes accents.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


_RULES: dict[str, Callable[[Any, str, Matching], bool]] = {
    "UI": _uid,
    "PN": _person_name,
    **dict.fromkeys(("DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"), _number),
}


def literal_runs(wanted: str) -> Iterable[str]:
    """The folded text between the wild cards of a pattern: what a match must contain."""
    return [_fold(piece) for piece in re.split(r"[*?]+", wanted) if piece]
