"""The paths of the index by which a search comes to its candidates: all that may match, and as few others as can be.

Every path is in the order of searches. What it yields is decided by the matcher, as on every other path.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from dicomweb.archive import keys
from dicomweb.archive.index import Index
from dicomweb.archive.rows import StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attributes import STUDY
from dicomweb.dicom.date_time import earliest
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.matching import Matching, fold, literal_runs, matches, name_words
from dicomweb.dicom.query import Key, Query

_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"
_WILD = "*?"
_MOST_NAMES = 500  # entries of a name's beginning that are sorted
_FREQUENT = "0earniosltdmhcugbkypfvjwzxq^1234567 98"  # letters and digits of names and numbers, the most frequent first
_COUNTED = attributes.COMPUTED[STUDY]  # a study's row counts or collects these; the entry of its month has them not


class Paths:
    """The paths for one search.

    Attributes:
        known: rows that were read on the way.
    """

    def __init__(
        self, index: Index, query: Query, how: Matching, look_at: Callable[[Iterable[Any]], Iterator[Any]]
    ) -> None:
        self._index = index
        self._query = query
        self._how = how
        self._look_at = look_at
        self.known: dict[str, StudyRow] = {}

    def studies(self) -> Iterator[str]:
        """Studies in which matches may be, in order; every match is in one of them.

        The first path that the keys allow, cheapest first.
        """
        paths = (self._by_study_uid, self._by_other_uid, self._by_value, self._by_name, self._by_gram)
        for path in paths:
            for key in self._query.keys:
                if len(key.path) == 1 and not key.empty and not key.creator and (found := path(key)) is not None:
                    return found
        return self._by_date()

    def _by_study_uid(self, key: Key) -> Iterator[str] | None:
        return iter(self._in_order(key.values)) if key.tag == _STUDY_UID else None

    def _by_other_uid(self, key: Key) -> Iterator[str] | None:
        if key.tag not in (_SERIES_UID, _INSTANCE_UID):
            return None
        return iter(self._in_order(study for uid in key.values for study, _ in self._index.paths_of_uid(uid)))

    def _by_value(self, key: Key) -> Iterator[str] | None:
        if key.tag not in keys.EXACT or not key.pattern or any(char in key.pattern for char in _WILD):
            return None
        return self._index.studies_by_value(key.tag, key.pattern)

    def _by_name(self, key: Key) -> Iterator[str] | None:
        prefix = _prefix(key.pattern)
        if key.tag not in keys.NAMES or self._query.fuzzy or "=" in prefix or not prefix:
            return None
        # Entries are in the order of names: what is found has to be sorted as a whole. When that is much, many of the
        # newest studies are matches too, and a path in the order of dates fills a page soon.
        studies = self._index.studies_by_name(key.tag, prefix, _MOST_NAMES)
        return None if studies is None else _distinct(studies)

    def _by_gram(self, key: Key) -> Iterator[str] | None:
        if key.tag not in keys.GRAMS or not key.pattern or "=" in key.pattern:
            return None
        if self._query.fuzzy and key.vr == "PN":
            # Close names share the beginnings of their words: three letters, or all of a shorter word.
            texts = [word[:3] for word in name_words(key.pattern)]
        else:
            texts = list(literal_runs(key.pattern.strip("^ ")))
        grams = set().union(*(keys.grams_of(text) for text in texts))
        return _distinct(self._with_gram(key, min(grams, key=_commonness))) if grams else None

    def _with_gram(self, key: Key, gram: str) -> Iterator[str]:
        # The entry has the text, folded: what it rules out costs no row.
        how = Matching(fuzzy=self._query.fuzzy)
        for study, texts in self._look_at(self._index.studies_by_gram(key.tag, gram)):
            values = [{"Alphabetic": text} for text in texts] if key.vr == "PN" else texts
            if matches({key.tag: {"vr": key.vr, "Value": values}}, key, how):
                yield study

    def _by_date(self) -> Iterator[str]:
        low_day, high_day = keys.NO_DATE, "99999999"
        date = next((key for key in self._query.keys if key.tag == _STUDY_DATE and len(key.spans) == 1), None)
        if date:
            # Seen from another timezone a study may be of the day before or after.
            days = 1 if self._query.timezone is not None else 0
            low, high = date.spans[0].low, date.spans[0].high
            low_day = _day(low, -days) if low else "00000000"
            high_day = _day(high, days) if high else high_day
        # The entry has the study's attributes: what they rule out costs no row.
        study_keys = [key for key in self._query.keys if _is_in_entry(key.tag)]
        for study, document in self._look_at(self._index.studies_by_date(low_day, high_day)):
            if _matches_all(document, study_keys, self._how):
                yield study

    def _in_order(self, uids: Iterable[str]) -> list[str]:
        found = self.known = self._index.studies(list(dict.fromkeys(uids)))
        return sorted(found, key=lambda uid: (*keys.order_of(found[uid].attributes), uid), reverse=True)


def _is_in_entry(tag: str) -> bool:
    return attributes.level_of(tag) == STUDY and attributes.is_indexed(tag) and tag not in _COUNTED


def _matches_all(document: DataSet, keys_: Iterable[Key], how: Matching) -> bool:
    return all(matches(document, key, how) for key in keys_)


def _day(moment: str, days: int) -> str:
    """The day of a date, or of a date and time, moved by some days."""
    day = earliest(moment[:8])
    return moment[:8] if day is None or not days else f"{day + timedelta(days=days):%Y%m%d}"


def _prefix(value: str) -> str:
    """The folded text in front of the first wild card of a name."""
    end = min((value.index(char) for char in _WILD if char in value), default=len(value))
    return keys.cut(fold(value[:end].rstrip("^ ") if end == len(value) else value[:end]))


def _commonness(gram: str) -> tuple[int, str]:
    """How often a gram is met, as far as its letters tell: the rarest leads to the fewest studies."""
    return sum(len(_FREQUENT) - _FREQUENT.index(char) for char in gram if char in _FREQUENT), gram


def _distinct(uids: Iterable[str]) -> Iterator[str]:
    """A study with several names is found by each of them."""
    seen: set[str] = set()
    for uid in uids:
        if uid not in seen:
            seen.add(uid)
            yield uid
