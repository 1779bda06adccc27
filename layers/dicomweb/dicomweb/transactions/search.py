"""Search: studies, series and instances by their attributes (PS3.18 §10.6).

The best path of the index yields candidate studies in one order (StudyDate, StudyTime, UID, descending); the one
matcher decides every row, so that a result does not depend on the path.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY
from dicomweb.dicom.date_time import earliest
from dicomweb.dicom.json_model import DataSet, first, select, text_of
from dicomweb.dicom.matching import Matching, fold, literal_runs, matches, name_texts, name_words
from dicomweb.dicom.query import Key, Query
from dicomweb.errors import NotFound, SearchTooBroad
from dicomweb.transactions.metadata import in_order, series_in_order, series_metadata

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAGE = 100  # studies whose rows are read at once
_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"
_WILD = "*?"
_MOST_NAMES = 500  # entries of a name's beginning that are sorted
_LONGEST_S = 20  # seconds; API Gateway waits for 29
_FREQUENT = "0earniosltdmhcugbkypfvjwzxq^1234567 98"  # letters and digits of names and numbers, the most frequent first
_COUNTED = attributes.COMPUTED[STUDY]  # a study's row counts or collects these; the entry of its month has them not


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a search.

    Attributes:
        more: whether matches remain that the limit cut off.
    """

    rows: list[DataSet]
    more: bool


def search(archive: Archive, query: Query, base: str) -> Page:
    """The rows that match, from query.offset on, up to query.limit and the server's own limit.

    Args:
        base: the URL of the service, in front of /studies.
    Raises:
        SearchTooBroad: too many rows had to be looked at.
    """
    settings = archive.settings
    most = settings.LimitFindInstances if query.level == INSTANCE else settings.LimitFindResults
    limit = min(query.limit or most, most)
    rows = _Search(archive, query, base).rows()
    if query.order:
        rows = iter(_ordered(list(rows), query.order))
    page = list(islice(rows, query.offset, query.offset + limit + 1))
    return Page(page[:limit], len(page) > limit)


def count(archive: Archive, query: Query) -> int:
    """How many rows match, whatever limit and offset say.

    Raises:
        SearchTooBroad: too many rows had to be looked at.
    """
    return sum(1 for _ in _Search(archive, query, "").rows())


def _ordered(rows: list[DataSet], order: tuple[tuple[str, bool], ...]) -> list[DataSet]:
    """Rows by the values of some attributes; absent ones last, equal ones in the usual order."""
    for tag, descending in reversed(order):
        present = [row for row in rows if text_of(row, tag)]
        absent = [row for row in rows if not text_of(row, tag)]
        rows = sorted(present, key=lambda row: _sort_key(row, tag), reverse=descending) + absent
    return rows


def _sort_key(row: DataSet, tag: str) -> tuple[float, str]:
    value = first(row, tag)
    if isinstance(value, int | float):
        return float(value), ""
    return 0.0, fold(name_texts(value)[0]) if isinstance(value, dict) and name_texts(value) else fold(str(value))


class _Search:
    def __init__(self, archive: Archive, query: Query, base: str) -> None:
        self._archive = archive
        self._index = archive.index
        self._query = query
        self._base = base
        self._how = Matching(archive.settings.DicomWeb.QidoCaseSensitive, query.fuzzy, query.timezone)
        self._reads_left = archive.settings.LimitFindReads
        self._deadline = time.monotonic() + _LONGEST_S
        self._known: dict[str, StudyRow] = {}
        self._keys: dict[str, list[Key]] = {level: [] for level in attributes.LEVELS}
        for key in query.keys:
            self._keys[attributes.level_of(key.tag)].append(key)

    def rows(self) -> Iterator[DataSet]:
        make_rows = {STUDY: self._study_rows, SERIES: self._series_rows, INSTANCE: self._instance_rows}
        return make_rows[self._query.level](self._matching_studies())

    def _look_at(self, rows: Iterable[T]) -> Iterator[T]:
        """Rows on their way to the matcher, counted: a search is refused before it is cut off by a timeout."""
        for row in rows:
            self._reads_left -= 1
            if self._reads_left < 0 or time.monotonic() > self._deadline:
                looked_at = f"{self._archive.settings.LimitFindReads} rows, or for {_LONGEST_S} s"
                raise SearchTooBroad(
                    f"the search looked at {looked_at}, and its page is not full: add a UID, PatientID, "
                    "AccessionNumber, the beginning of PatientName or three letters of it, or fewer days of StudyDate"
                )
            yield row

    # Rows of each level; the attributes of a row's parents come with it.

    def _study_rows(self, studies: Iterator[StudyRow]) -> Iterator[DataSet]:
        below = self._keys[SERIES] + self._keys[INSTANCE]
        for study in studies:
            if not below or any(True for _ in self._matching_series(study)):
                yield self._answer(STUDY, f"/studies/{study.study}", {STUDY: _study_document(study)})

    def _series_rows(self, studies: Iterator[StudyRow]) -> Iterator[DataSet]:
        for study in studies:
            parents = {STUDY: _study_document(study)}
            for series in self._matching_series(study):
                path = f"/studies/{study.study}/series/{series.series}"
                yield self._answer(SERIES, path, parents | {SERIES: _series_document(series)})

    def _instance_rows(self, studies: Iterator[StudyRow]) -> Iterator[DataSet]:
        for study in studies:
            study_document = _study_document(study)
            for series in self._candidate_series(study):
                parents = {STUDY: study_document, SERIES: _series_document(series)}
                for row, document in self._matching_instances(series):
                    path = f"/studies/{row.study}/series/{row.series}/instances/{row.instance}"
                    yield self._answer(INSTANCE, path, parents | {INSTANCE: document})

    def _answer(self, level: str, path: str, documents: dict[str, DataSet]) -> DataSet:
        query = self._query
        row: DataSet = {}
        for each, document in documents.items():
            wanted = attributes.DEFAULTS[each] | query.include
            if each == level:
                wanted = wanted | attributes.COMPUTED[each]
            row |= document if "all" in query.include else select(document, wanted)
        row["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        row[attributes.RETRIEVE_URL] = {"vr": "UR", "Value": [self._base + path]}
        if level != SERIES:
            row[attributes.AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
        return dict(sorted(row.items()))

    # Matching, top down

    def _matching_studies(self) -> Iterator[StudyRow]:
        candidates = iter(self._look_at(self._candidate_studies()))
        found_so_far = 0
        while page := list(islice(candidates, self._next_page(found_so_far))):
            known = {uid: self._known[uid] for uid in page if uid in self._known}
            found = known or self._index.studies(page)
            for uid in page:
                # A study that was deleted since the path was read is no result.
                if uid in found and self._matches(_study_document(found[uid]), self._keys[STUDY]):
                    found_so_far += 1
                    yield found[uid]

    def _next_page(self, found: int) -> int:
        """How many rows to read next: no more than the answer still needs, when each of them is one of its rows."""
        query = self._query
        if query.level != STUDY or query.order or not query.limit:
            return _PAGE
        return min(_PAGE, max(query.offset + query.limit + 1 - found, 1))

    def _candidate_series(self, study: StudyRow) -> list[SeriesRow]:
        rows = self._look_at(self._index.series_of(study.study))
        return series_in_order([row for row in rows if self._matches(_series_document(row), self._keys[SERIES])])

    def _matching_series(self, study: StudyRow) -> Iterator[SeriesRow]:
        for series in self._candidate_series(study):
            if not self._keys[INSTANCE] or any(True for _ in self._matching_instances(series)):
                yield series

    def _matching_instances(self, series: SeriesRow) -> Iterator[tuple[InstanceRow, DataSet]]:
        keys_ = self._keys[INSTANCE]
        asked = self._query.include if self._query.level == INSTANCE else frozenset()
        whole = any(tag == "all" or not attributes.is_indexed(tag) for tag in asked | {key.tag for key in keys_})
        metadata = self._read_metadata(series) if whole else {}
        for row in self._look_at(in_order(self._index.instances_of(series.study, series.series))):
            document = metadata.get(row.instance, {}) | _instance_document(row)
            if self._matches(document, keys_):
                yield row, document

    def _matches(self, document: DataSet, keys_: Iterable[Key]) -> bool:
        return all(matches(document, key, self._how) for key in keys_)

    def _read_metadata(self, series: SeriesRow) -> dict[str, DataSet]:
        try:
            text = series_metadata(self._archive, series, self._base).text(self._base)
        except NotFound as error:
            # Deleted since its row was read, or its objects are damaged: one series must not fail all searches.
            log.warning("no metadata of series %s: %s", series.series, error)
            return {}
        documents = json.loads(text)
        return {document[_INSTANCE_UID]["Value"][0]: document for document in documents}

    # The paths of the index

    def _candidate_studies(self) -> Iterator[str]:
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
        study_keys = [key for key in self._keys[STUDY] if attributes.is_indexed(key.tag) and key.tag not in _COUNTED]
        for study, document in self._look_at(self._index.studies_by_date(low_day, high_day)):
            if self._matches(document, study_keys):
                yield study

    def _in_order(self, uids: Iterable[str]) -> list[str]:
        found = self._known = self._index.studies(list(dict.fromkeys(uids)))
        return sorted(found, key=lambda uid: (*keys.order_of(found[uid].attributes), uid), reverse=True)


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


def _study_document(study: StudyRow) -> DataSet:
    return study.attributes | {
        attributes.AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        attributes.MODALITIES_IN_STUDY: _values("CS", sorted(study.modalities)),
        attributes.SOP_CLASSES_IN_STUDY: _values("UI", sorted(study.sop_classes)),
        attributes.SERIES_IN_STUDY: {"vr": "IS", "Value": [study.series_count]},
        attributes.INSTANCES_IN_STUDY: {"vr": "IS", "Value": [study.instance_count]},
    }


def _series_document(series: SeriesRow) -> DataSet:
    return series.attributes | {attributes.INSTANCES_IN_SERIES: {"vr": "IS", "Value": [series.instance_count]}}


def _instance_document(row: InstanceRow) -> DataSet:
    return row.attributes | {
        attributes.AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        attributes.AVAILABLE_TRANSFER_SYNTAX: {"vr": "UI", "Value": [row.transfer_syntax]},
    }


def _values(vr: str, values: list[str]) -> dict[str, object]:
    return {"vr": vr, "Value": values} if values else {"vr": vr}
