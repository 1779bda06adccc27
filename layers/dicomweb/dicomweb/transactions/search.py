"""Search: studies, series and instances by their attributes (PS3.18 §10.6).

The best path of the index yields candidate studies in one order (StudyDate, StudyTime, UID, descending); the one
matcher decides every row, so that a result does not depend on the path.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY, Kept
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.match_keys import Key
from dicomweb.dicom.matching import Matching, matches
from dicomweb.dicom.query import Query
from dicomweb.errors import NotFound, SearchTooBroad
from dicomweb.transactions.metadata import series_metadata
from dicomweb.transactions.search_order import Place, in_order, number_and_uid, place_of, series_in_order
from dicomweb.transactions.search_paths import Paths
from dicomweb.transactions.search_rows import answer_row, instance_document, ordered, series_document, study_document

log = logging.getLogger(__name__)

T = TypeVar("T")

_STUDY_UID = "0020000D"
_PAGE = 100  # studies whose rows are read at once
_LONGEST_S = 20  # seconds; API Gateway waits for 29


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a search.

    Attributes:
        remaining: how many matches the limit cut off.
        is_exact: whether remaining is all of them; otherwise there are at least so many.
    """

    rows: list[DataSet]
    remaining: int
    is_exact: bool


def search(archive: Archive, query: Query, base: str, after: Place | None = None) -> Page:
    """The rows that match, from query.offset on, up to query.limit and the server's own limit.

    Args:
        base: the URL of the service, in front of /studies.
        after: where the page before ended: the rows behind it, in place of those that query.offset counts.
    Raises:
        SearchTooBroad: too many rows had to be looked at.
    """
    settings = archive.settings
    most = settings.LimitFindInstances if query.level == INSTANCE else settings.LimitFindResults
    limit = min(query.limit or most, most)
    if query.order:
        rows = ordered(list(_Search(archive, query, base, limit, None).rows()), query.order)
        places = [place_of(row, query.level) for row in rows] if after else []
        start = places.index(after) + 1 if after in places else query.offset
        return Page(rows[start : start + limit], max(len(rows) - start - limit, 0), is_exact=True)
    if after:
        query = replace(query, offset=0)
    found = _Search(archive, query, base, limit, after)
    page = list(islice(found.rows(), query.offset, query.offset + limit))
    remaining = found.remaining() if len(page) == limit else 0
    return Page(page, remaining, is_exact=not remaining or found.is_in_one_study)


def count(archive: Archive, query: Query) -> int:
    """How many rows match, whatever limit and offset say.

    Raises:
        SearchTooBroad: too many rows had to be looked at.
    """
    return sum(1 for _ in _Search(archive, query, "", 0, None).rows())


class _Search:
    """One search; limit 0 is none."""

    def __init__(self, archive: Archive, query: Query, base: str, limit: int, after: Place | None) -> None:
        self._archive = archive
        self._index = archive.index
        self._indexed = archive.indexed
        self._query = query
        self._base = base
        self._limit = limit
        self._after = after
        self._how = Matching(archive.settings.DicomWeb.QidoCaseSensitive, query.fuzzy, query.timezone)
        self._reads_left = archive.settings.LimitFindReads
        self._deadline = time.monotonic() + _LONGEST_S
        self._keys: dict[str, list[Key]] = {level: [] for level in attributes.LEVELS}
        for key in query.keys:
            self._keys[self._indexed.level_of(key.tag)].append(key)
        self._paths = Paths(archive, query, self._how, self._look_at, after.at if after else "")
        self._candidates = iter(self._look_at(self._paths.studies()))
        make_rows = {STUDY: self._study_rows, SERIES: self._series_rows, INSTANCE: self._instance_rows}
        self._rows = make_rows[query.level](self._matching_studies())

    def rows(self) -> Iterator[DataSet]:
        """The matches, in order."""
        after = self._after
        return (row for row in self._rows if after is None or after.is_before(place_of(row, self._query.level)))

    @property
    def is_in_one_study(self) -> bool:
        """Whether all that may match is in one study, whose rows are few."""
        return any(key.path == (_STUDY_UID,) and len(key.values) == 1 for key in self._query.keys)

    def remaining(self) -> int:
        """How many matches there are behind those that were taken: all of them in one study, else at least so many."""
        left: Iterator[object] = self._candidates if self._candidates_match() else self._rows
        return sum(1 for _ in (left if self.is_in_one_study else islice(left, 1)))

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

    def _study_rows(self, studies: Iterator[tuple[StudyRow, list[Key]]]) -> Iterator[DataSet]:
        below = self._keys[SERIES] + self._keys[INSTANCE]
        for study, lacking in studies:
            if not (below or lacking) or any(True for _ in self._matching_series(study, lacking)):
                yield answer_row(self._query, f"{self._base}/studies/{study.study}", {STUDY: study_document(study)})

    def _series_rows(self, studies: Iterator[tuple[StudyRow, list[Key]]]) -> Iterator[DataSet]:
        for study, lacking in studies:
            parents = {STUDY: study_document(study)}
            for series in self._matching_series(study, lacking):
                url = f"{self._base}/studies/{study.study}/series/{series.series}"
                yield answer_row(self._query, url, parents | {SERIES: series_document(series)})

    def _instance_rows(self, studies: Iterator[tuple[StudyRow, list[Key]]]) -> Iterator[DataSet]:
        for study, lacking in studies:
            of_study = study_document(study)
            for series, lacking_here in self._candidate_series(study):
                if self._was_read(study, series):
                    continue
                parents = {STUDY: of_study, SERIES: series_document(series)}
                keys_ = self._keys[INSTANCE] + lacking + lacking_here
                for row, document in self._matching_instances(series, keys_):
                    url = f"{self._base}/studies/{row.study}/series/{row.series}/instances/{row.instance}"
                    yield answer_row(self._query, url, parents | {INSTANCE: document})

    def _was_read(self, study: StudyRow, series: SeriesRow) -> bool:
        """Whether a page before had all of a series."""
        after = self._after
        here = Place(keys.at_of(study.study, study.attributes), (number_and_uid(series),))
        return after is not None and here.at == after.at and here.below[0] < after.below[0]

    # Matching, top down. What a row lacks is looked for in the metadata of the instances below it.

    def _matching_studies(self) -> Iterator[tuple[StudyRow, list[Key]]]:
        """(study, keys that its row cannot decide)."""
        found_so_far = 0
        while page := list(islice(self._candidates, self._next_page(found_so_far))):
            known = {uid: self._paths.known[uid] for uid in page if uid in self._paths.known}
            found = known or self._index.studies(page)
            for uid in page:
                if uid not in found:  # deleted since the path was read
                    continue
                known_keys, lacking = self._split(STUDY, found[uid].kept)
                for study in found[uid].seen_as:
                    if matches(study_document(study), known_keys, self._how):
                        found_so_far += 1
                        yield study, lacking
                        break

    def _next_page(self, found: int) -> int:
        """How many rows to read next: no more than the answer still needs, when each of them is one of its rows."""
        query = self._query
        if query.level != STUDY or query.order or not self._limit:
            return _PAGE
        one_more = 0 if self._candidates_match() else 1
        return min(_PAGE, max(query.offset + self._limit + one_more - found, 1))

    def _candidates_match(self) -> bool:
        return self._query.level == STUDY and self._paths.decides

    def _split(self, level: str, kept: Kept) -> tuple[list[Key], list[Key]]:
        """The keys of a level that a row decides, and those that it cannot."""
        lacking = [key for key in self._keys[level] if self._indexed.lacks(kept, key.tag)]
        return [key for key in self._keys[level] if key not in lacking], lacking

    def _candidate_series(self, study: StudyRow) -> list[tuple[SeriesRow, list[Key]]]:
        """(series, keys that its row cannot decide), in order."""
        candidates = []
        for row in series_in_order(list(self._look_at(self._index.series_of(study.study)))):
            known_keys, lacking = self._split(SERIES, row.kept)
            if matches(series_document(row), known_keys, self._how):
                candidates.append((row, lacking))
        return candidates

    def _matching_series(self, study: StudyRow, lacking: list[Key]) -> Iterator[SeriesRow]:
        for series, lacking_here in self._candidate_series(study):
            below = self._keys[INSTANCE] + lacking + lacking_here
            if not below or any(True for _ in self._matching_instances(series, below)):
                yield series

    def _matching_instances(self, series: SeriesRow, keys_: list[Key]) -> Iterator[tuple[InstanceRow, DataSet]]:
        rows = in_order(self._index.instances_of(series.study, series.series))
        asked = self._query.include if self._query.level == INSTANCE else frozenset()
        tags = asked | {key.tag for key in keys_}
        if self._query.level == INSTANCE:
            tags |= {tag for tag, _ in self._query.include_private}
        lacking_above = any(self._indexed.level_of(key.tag) != INSTANCE for key in keys_)
        whole = lacking_above or any(not self._is_in_rows(tag, rows) for tag in tags)
        metadata = self._read_metadata(series) if whole else {}
        for row in self._look_at(rows):
            document = metadata.get(row.instance, {}) | instance_document(row)
            if matches(document, keys_, self._how):
                yield row, document

    def _is_in_rows(self, tag: str, rows: list[InstanceRow]) -> bool:
        """Whether the rows of instances, or of what they are in, have all there is of an attribute."""
        if tag == "all" or not self._indexed.holds(tag):
            return False
        return self._indexed.level_of(tag) != INSTANCE or not any(self._indexed.lacks(row.kept, tag) for row in rows)

    def _read_metadata(self, series: SeriesRow) -> dict[str, DataSet]:
        try:
            text = series_metadata(self._archive, series, self._base).text(self._base)
        except NotFound as error:
            # Deleted since its row was read, or its objects are damaged: one series must not fail all searches.
            log.warning("no metadata of series %s: %s", series.series, error)
            return {}
        documents = json.loads(text)
        return {document["00080018"]["Value"][0]: document for document in documents}
