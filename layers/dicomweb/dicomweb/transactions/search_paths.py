"""The paths of the index by which a search comes to its candidates: all that may match, and as few others as can be.

Every path is in the order of searches. What it yields is decided by the matcher, as on every other path.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dicomweb.archive import Archive, keys
from dicomweb.archive.keys import Bounds
from dicomweb.archive.rows import StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attributes import STUDY
from dicomweb.dicom.date_time import earliest, shifted
from dicomweb.dicom.folding import fold, literal_runs, name_words, plain_name
from dicomweb.dicom.match_keys import Key
from dicomweb.dicom.matching import Matching, matches
from dicomweb.dicom.query import Query

_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"
_WILD = "*?"
_MOST_NAMES = 500  # entries of a name's beginning that are sorted
_FREQUENT = "0earniosltdmhcugbkypfvjwzxq^1234567 98"  # letters and digits of names and numbers, the most frequent first
_COUNTED = attributes.COMPUTED[STUDY]  # a study's row counts or collects these; the entry of its month has them not


class Paths:
    """The paths for one search.

    Attributes:
        known: rows that were read on the way.
        decides: whether what the path yields matches, as its entries show all that the keys ask for.
    """

    def __init__(
        self,
        archive: Archive,
        query: Query,
        how: Matching,
        look_at: Callable[[Iterable[Any]], Iterator[Any]],
        from_place: str,
    ) -> None:
        self._index = archive.index
        self._indexed = archive.indexed
        self._query = query
        self._how = how
        self._look_at = look_at
        self._within = _bounds(query, from_place)
        self.known: dict[str, StudyRow] = {}
        self.decides = False

    def studies(self) -> Iterator[str]:
        """Studies in which matches may be, in order; every match is in one of them.

        The first path that the keys allow, cheapest first.
        """
        paths = (
            self._by_study_uid,
            self._by_other_uid,
            self._by_value,
            self._by_name,
            self._by_beginning,
            self._by_gram,
        )
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
        return self._index.studies_by_value(key.tag, key.pattern, self._within)

    def _by_name(self, key: Key) -> Iterator[str] | None:
        name = fold(plain_name(key.pattern))
        if key.tag not in keys.NAMES or self._query.fuzzy or not name or any(char in name for char in "*?="):
            return None
        return _distinct(self._index.studies_by_name(key.tag, name, self._within))

    def _by_beginning(self, key: Key) -> Iterator[str] | None:
        beginning = _beginning(key.pattern)
        if key.tag not in keys.NAMES or self._query.fuzzy or "=" in beginning or not beginning:
            return None
        # Entries are in the order of names: what is found has to be sorted as a whole. When that is much, many of the
        # newest studies are matches too, and a path in the order of dates fills a page soon.
        studies = self._index.studies_by_beginning(key.tag, beginning, _MOST_NAMES, self._within)
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
        if not grams:
            return None
        self.decides = self._query.keys == (key,) and not self._how.case_sensitive and "?" not in key.pattern
        return _distinct(self._with_gram(key, min(grams, key=_commonness)))

    def _with_gram(self, key: Key, gram: str) -> Iterator[str]:
        # The entry has the text, folded: what it rules out costs no row. One character may be several there.
        how = Matching(fuzzy=self._query.fuzzy)
        loose = replace(key, values=(key.pattern.replace("?", "*"),))
        for study, texts in self._look_at(self._index.studies_by_gram(key.tag, gram, self._within)):
            values = [{"Alphabetic": text} for text in texts] if key.vr == "PN" else texts
            if matches({key.tag: {"vr": key.vr, "Value": values}}, [loose], how):
                yield study

    def _by_date(self) -> Iterator[str]:
        in_entry = [key for key in self._query.keys if self._is_in_entry(key.tag)]
        self.decides = len(in_entry) == len(self._query.keys)
        return self._with_attributes(in_entry)

    def _with_attributes(self, in_entry: list[Key]) -> Iterator[str]:
        # The entry has the study's attributes: what they rule out costs no row.
        for study, of_patients in self._look_at(self._index.studies_by_date(self._within)):
            known = [key for key in in_entry if not self._indexed.lacks(of_patients[0], key.tag)]
            self.decides = self.decides and len(known) == len(in_entry)
            if any(matches(kept.attributes, known, self._how) for kept in of_patients):
                yield study

    def _is_in_entry(self, tag: str) -> bool:
        return self._indexed.level_of(tag) == STUDY and self._indexed.holds(tag) and tag not in _COUNTED

    def _in_order(self, uids: Iterable[str]) -> list[str]:
        found = self.known = self._index.studies(list(dict.fromkeys(uids)))
        at = {uid: keys.at_of(uid, row.attributes) for uid, row in found.items()}
        within = (uid for uid in found if self._within.low <= at[uid] <= self._within.high)
        return sorted(within, key=lambda uid: at[uid], reverse=True)


def _bounds(query: Query, from_place: str) -> Bounds:
    """What the key of StudyDate leaves of the order of studies, from some place on."""
    low, high = keys.EVERYTHING
    date = next((key for key in query.keys if key.path == (_STUDY_DATE,) and len(key.spans) == 1), None)
    if date:
        # Offsets from UTC go from -12 to +14 hours: a day may be two days off.
        days = 2 if query.timezone is not None else 0
        first, last = date.spans[0].low, date.spans[0].high
        low = _day(first, -days) if first else "0"  # studies without a date are in no range
        # `$` comes after the `#` that ends a date.
        high = _day(last, days) + "$" if last else high
    return Bounds(low, min(high, from_place) if from_place else high)


def _day(moment: str, days: int) -> str:
    """The day of a date, or of a date and time, moved by some days."""
    day = earliest(moment[:8])
    moved = shifted(day, timedelta(days=days)) if day else None
    return f"{moved.year:04}{moved.month:02}{moved.day:02}" if moved else moment[:8]


def _beginning(value: str) -> str:
    """The folded text in front of the first wild card of a name."""
    end = min((value.index(char) for char in _WILD if char in value), default=len(value))
    return keys.cut(fold(plain_name(value[:end])))


def _commonness(gram: str) -> tuple[bool, int, str]:
    """How often a gram is met, as far as its length and letters tell: the rarest leads to the fewest studies."""
    letters = sum(len(_FREQUENT) - _FREQUENT.index(char) for char in gram if char in _FREQUENT)
    return len(gram) < keys.LONG_GRAM, letters, gram


def _distinct(uids: Iterable[str]) -> Iterator[str]:
    """A study with several names is found by each of them."""
    seen: set[str] = set()
    for uid in uids:
        if uid not in seen:
            seen.add(uid)
            yield uid
