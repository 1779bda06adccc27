"""Metadata of what the rows of the index hold: no object is read for them (modes MainDicomTags and Extrapolate)."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow
from dicomweb.dicom.attributes import SERIES, STUDY
from dicomweb.dicom.json_model import DataSet, dumps
from dicomweb.errors import NotFound
from dicomweb.transactions.metadata import read_lines
from dicomweb.transactions.search_order import in_order

_SAMPLE = 3  # instances that are asked for what the others have too
_CHARACTER_SET = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}


def main_attributes(archive: Archive, study: StudyRow, series: list[SeriesRow]) -> Iterator[DataSet]:
    """What the rows hold of each instance of these series, with what they hold of its parents.

    Raises:
        NotFound: one of the series was deleted since its row was read.
    """
    for row, instances in _with_instances(archive, series):
        yield from _documents(study, row, instances, {})


def extrapolated_attributes(
    archive: Archive, study: StudyRow, series: list[SeriesRow], *, of_study: bool
) -> Iterator[DataSet]:
    """The same, and of the attributes in the settings what most of the first instances have; rows come first.

    Args:
        of_study: whether StudiesMetadataExtrapolatedTags count too, by the first instances of the study; those of
            SeriesMetadataExtrapolatedTags go by the first instances of each series.
    Raises:
        NotFound: one of the series was deleted since its row was read.
    """
    more = _of_most(archive, _first_instances(archive, series), STUDY) if of_study else {}
    for row, instances in _with_instances(archive, series):
        yield from _documents(study, row, instances, more | _of_most(archive, instances[:_SAMPLE], SERIES))


def most_frequent(documents: list[DataSet], tags: frozenset[str]) -> DataSet:
    """The attributes that have the same value in more than half of these documents; none that is a reference."""
    found: DataSet = {}
    for tag in sorted(tags):
        votes = Counter(dumps(document[tag]) for document in documents if tag in document)
        text, count = votes.most_common(1)[0] if votes else ("", 0)
        if count > len(documents) // 2 and '"BulkDataURI":' not in text:
            found[tag] = json.loads(text)
    return found


def _with_instances(archive: Archive, series: list[SeriesRow]) -> Iterator[tuple[SeriesRow, list[InstanceRow]]]:
    return zip(series, archive.storage.map_ahead(lambda row: _read(archive, row), series, 2), strict=True)


def _read(archive: Archive, row: SeriesRow) -> list[InstanceRow]:
    return in_order(archive.index.instances_of(row.study, row.series))


def _first_instances(archive: Archive, series: list[SeriesRow]) -> list[InstanceRow]:
    found: list[InstanceRow] = []
    for row in series:
        found += _read(archive, row)[: _SAMPLE - len(found)]
        if len(found) == _SAMPLE:
            break
    return found


def _documents(study: StudyRow, series: SeriesRow, rows: list[InstanceRow], more: DataSet) -> Iterator[DataSet]:
    if not rows:
        raise NotFound(f"no series {series.series} in study {series.study}")
    above = more | study.attributes | series.attributes
    return (dict(sorted((above | row.attributes | _CHARACTER_SET).items())) for row in rows)


def _of_most(archive: Archive, rows: list[InstanceRow], level: str) -> DataSet:
    wanted = archive.extrapolated[level]
    if not wanted:
        return {}
    of_series = [list(members) for _, members in groupby(rows, key=lambda row: row.series)]
    documents = [json.loads(line) for members in of_series for line in read_lines(archive, members)]
    return most_frequent(documents, wanted)
