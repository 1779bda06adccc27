"""Search: studies, series and instances by their attributes (PS3.18 §10.6).

The best path of the index yields candidate studies in one order (StudyDate, StudyTime, UID, descending); the one
matcher decides every row, so that a result does not depend on the path.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow
from dicomweb.dicom import attributes
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY
from dicomweb.dicom.json_model import DataSet, select
from dicomweb.dicom.matching import fold, matches
from dicomweb.dicom.query import Key, Query, split_range, split_uids
from dicomweb.errors import NotFound
from dicomweb.transactions.metadata import in_order, series_in_order, series_metadata

log = logging.getLogger(__name__)

_PAGE = 100  # studies whose rows are read at once
_STUDY_UID, _SERIES_UID, _INSTANCE_UID, _STUDY_DATE = "0020000D", "0020000E", "00080018", "00080020"
_WILD = "*?"
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
    """
    settings = archive.settings
    most = settings.LimitFindInstances if query.level == INSTANCE else settings.LimitFindResults
    limit = min(query.limit or most, most)
    rows = islice(_Search(archive, query, base).rows(), query.offset, query.offset + limit + 1)
    page = list(rows)
    return Page(page[:limit], len(page) > limit)


class _Search:
    def __init__(self, archive: Archive, query: Query, base: str) -> None:
        self._archive = archive
        self._index = archive.index
        self._query = query
        self._base = base
        self._case_sensitive = archive.settings.DicomWeb.QidoCaseSensitive
        self._keys: dict[str, list[Key]] = {level: [] for level in attributes.LEVELS}
        for key in query.keys:
            self._keys[attributes.level_of(key.tag)].append(key)

    def rows(self) -> Iterator[DataSet]:
        make_rows = {STUDY: self._study_rows, SERIES: self._series_rows, INSTANCE: self._instance_rows}
        return make_rows[self._query.level](self._matching_studies())

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
        candidates = self._candidate_studies()
        while page := list(islice(candidates, _PAGE)):
            found = self._index.studies(page)
            for uid in page:
                # A study that was deleted since the path was read is no result.
                if uid in found and self._matches(_study_document(found[uid]), self._keys[STUDY]):
                    yield found[uid]

    def _candidate_series(self, study: StudyRow) -> list[SeriesRow]:
        rows = self._index.series_of(study.study)
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
        for row in in_order(self._index.instances_of(series.study, series.series)):
            document = metadata.get(row.instance, {}) | _instance_document(row)
            if self._matches(document, keys_):
                yield row, document

    def _matches(self, document: DataSet, keys_: Iterable[Key]) -> bool:
        return all(matches(document, key, self._case_sensitive) for key in keys_)

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
        """Studies in which matches may be, in order; every match is in one of them."""
        for key in self._query.keys:
            if key.tag == _STUDY_UID:
                return iter(self._in_order(split_uids(key.value)))
        for key in self._query.keys:
            if key.tag in (_SERIES_UID, _INSTANCE_UID):
                paths = [path for uid in split_uids(key.value) for path in self._index.paths_of_uid(uid)]
                return iter(self._in_order(study for study, _ in paths))
        for key in self._query.keys:
            if key.tag in keys.EXACT and not any(char in key.value for char in _WILD) and len(key.path) == 1:
                return self._index.studies_by_value(key.tag, key.value)
        for key in self._query.keys:
            if key.tag in keys.NAMES and (prefix := _prefix(key.value)):
                return _distinct(self._index.studies_by_name(key.tag, prefix))
        return self._by_date()

    def _in_order(self, uids: Iterable[str]) -> list[str]:
        found = self._index.studies(list(dict.fromkeys(uids)))
        return sorted(found, key=lambda uid: (*keys.order_of(found[uid].attributes), uid), reverse=True)

    def _by_date(self) -> Iterator[str]:
        first, last = keys.NO_DATE, "99999999"
        date = next((key for key in self._query.keys if key.tag == _STUDY_DATE), None)
        if date:
            low, high = split_range(date.value, "DA")
            first, last = low or "00000000", high or last
        # The entry has the study's attributes: what they rule out costs no row.
        study_keys = [key for key in self._keys[STUDY] if attributes.is_indexed(key.tag) and key.tag not in _COUNTED]
        for study, document in self._index.studies_by_date(first, last):
            if self._matches(document, study_keys):
                yield study


def _prefix(value: str) -> str:
    """The folded text in front of the first wild card of a name."""
    end = min((value.index(char) for char in _WILD if char in value), default=len(value))
    return keys.cut(fold(value[:end].rstrip("^ ") if end == len(value) else value[:end]))


def _distinct(uids: Iterable[str]) -> Iterator[str]:
    """A study with several names is found by each of them."""
    return iter(dict.fromkeys(uids))


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
