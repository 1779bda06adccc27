"""Search: studies, series and instances by their attributes (PS3.18 §10.6).

The best path of the index yields candidate studies in one order (StudyDate, StudyTime, UID, descending); the one
matcher decides every row, so that a result does not depend on the path.
"""

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY
from dicomweb.dicom.json_model import DataSet, first, select, text_of
from dicomweb.dicom.matching import Matching, fold, matches, name_texts
from dicomweb.dicom.query import Key, Query
from dicomweb.errors import NotFound, SearchTooBroad
from dicomweb.transactions.metadata import in_order, series_in_order, series_metadata
from dicomweb.transactions.search_paths import Paths

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAGE = 100  # studies whose rows are read at once
_LONGEST_S = 20  # seconds; API Gateway waits for 29


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
        self._keys: dict[str, list[Key]] = {level: [] for level in attributes.LEVELS}
        for key in query.keys:
            self._keys[attributes.level_of(key.tag)].append(key)
        self._paths = Paths(self._index, query, self._how, self._look_at)

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
        candidates = iter(self._look_at(self._paths.studies()))
        found_so_far = 0
        while page := list(islice(candidates, self._next_page(found_so_far))):
            found = {uid: self._paths.known[uid] for uid in page if uid in self._paths.known} or self._index.studies(
                page
            )
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
        return {document["00080018"]["Value"][0]: document for document in documents}


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
