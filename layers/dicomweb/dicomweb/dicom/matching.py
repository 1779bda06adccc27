"""Attribute matching (PS3.18 §8.3.4.1, PS3.4 C.2.2.2): one matcher decides every row, whatever path found it. Pure."""

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.query import Key, split_range, split_uids

NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def matches(document: DataSet, key: Key, case_sensitive: bool = False) -> bool:
    """Whether an attribute of a data set matches a key.

    A multi-valued attribute matches when one of its values does (PS3.4 C.2.2.2.1). An absent or empty attribute
    matches universal keys alone.
    """
    rule = _RULES.get(key.vr, _text)
    return any(rule(value, key.value, case_sensitive) for value in _values(document, key.path))


def fold(text: str) -> str:
    """Text without case and accents: what two names must share to be the same for a search."""
    return _fold(text).strip()


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def name_texts(value: object) -> list[str]:
    """The component groups of a person name in the DICOM JSON Model, trailing delimiters cut."""
    if isinstance(value, dict):
        return [str(value[group]).rstrip("^ ") for group in NAME_GROUPS if value.get(group)]
    return [str(value)]


def _values(document: DataSet, path: tuple[str, ...]) -> Iterable[Any]:
    values = [value for value in document.get(path[0], {}).get("Value", ()) if value is not None]
    if len(path) == 1:
        return values
    return [value for item in values if isinstance(item, dict) for value in _values(item, path[1:])]


def _uid(value: Any, wanted: str, _case_sensitive: bool) -> bool:
    return value in split_uids(wanted)


def _range(vr: str) -> Callable[[Any, str, bool], bool]:
    def in_range(value: Any, wanted: str, _case_sensitive: bool) -> bool:
        low, high = split_range(wanted, vr)
        text = str(value)
        # A shorter value stands for all that it begins: 0730 covers 073000 to 073059 (PS3.4 C.2.2.2.5).
        return (low is None or _padded(text, "0") >= _padded(low, "0")) and (
            high is None or _padded(text, "0") <= _padded(high, "9")
        )

    return in_range


def _padded(text: str, filler: str) -> str:
    # Dates and times of ACR-NEMA have dots and colons; an offset from UTC is not compared.
    digits = re.sub(r"[.:]|[+-].*", "", text)
    return digits + filler * (20 - len(digits))


def _person_name(value: Any, wanted: str, case_sensitive: bool) -> bool:
    pattern = _pattern(wanted.rstrip("^ "), case_sensitive)
    return any(pattern.fullmatch(text if case_sensitive else fold(text)) for text in name_texts(value))


def _number(value: Any, wanted: str, case_sensitive: bool) -> bool:
    try:
        return float(value) == float(wanted)
    except (TypeError, ValueError):
        return _text(value, wanted, case_sensitive)


def _text(value: Any, wanted: str, case_sensitive: bool) -> bool:
    text = str(value).strip()
    return _pattern(wanted.strip(), case_sensitive).fullmatch(text if case_sensitive else fold(text)) is not None


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


_RULES: dict[str, Callable[[Any, str, bool], bool]] = {
    "UI": _uid,
    "DA": _range("DA"),
    "TM": _range("TM"),
    "DT": _range("DT"),
    "PN": _person_name,
    **dict.fromkeys(("DS", "IS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"), _number),
}
