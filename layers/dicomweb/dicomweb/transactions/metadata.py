"""Metadata of instances, series and studies, from the objects that ingest wrote (PS3.18 §10.4.1.1.2).

A series whose version is that of its compacted object costs one row and one object. Otherwise its fragments are put
together, in instance order, and the object is written anew.
"""

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow, SeriesRow
from dicomweb.dicom.json_model import DataSet, with_base
from dicomweb.errors import ArchiveBusy, NotFound
from dicomweb.transactions.search_order import in_order, series_in_order

_FAST = 1  # gzip level of what is made for one answer
_SMALL = 6  # gzip level of what is kept


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON array of metadata, gzipped, whose BulkDataURIs start with base."""

    compressed: bytes
    base: str

    def text(self, base: str) -> bytes:
        """The JSON text for a service at base."""
        return with_base(gzip.decompress(self.compressed), base, self.base)

    def gzipped(self, base: str) -> bytes:
        """The gzipped text; what is stored passes through when the service is where it was when it was stored."""
        return self.compressed if base == self.base else gzip.compress(self.text(base), _FAST, mtime=0)


def series_metadata(archive: Archive, series: SeriesRow, base: str) -> Document:
    """The metadata of a series."""
    return _compacted(archive, series) or _compact(archive, series, base)


def series_documents(archive: Archive, series: SeriesRow) -> dict[str, DataSet]:
    """The metadata of a series by SOP Instance UID, without an address in front of its BulkDataURIs.

    Raises:
        NotFound: the series was deleted since its row was read.
    """
    if document := _compacted(archive, series):
        text = document.text("")
    else:
        text = _array(_lines(archive, _instances(archive, series)))
    return {document["00080018"]["Value"][0]: document for document in json.loads(text)}


def study_metadata(archive: Archive, study: str, base: str) -> Document:
    """The metadata of all series of a study, in series order.

    Raises:
        NotFound: no such study.
    """
    rows = series_in_order(archive.index.series_of(study))
    if not rows:
        raise NotFound(f"no study {study}")
    found = archive.storage.map_ahead(lambda row: _compacted(archive, row), rows, 8)
    documents = [document or _compact(archive, row, base) for row, document in zip(rows, found, strict=True)]
    if len(documents) == 1:
        return documents[0]
    text = _array([document.text(base)[1:-1] for document in documents])
    return Document(gzip.compress(text, _FAST, mtime=0), base)


def _compacted(archive: Archive, series: SeriesRow) -> Document | None:
    try:
        compressed, about = archive.storage.read(keys.series_object(series.study, series.series))
    except NotFound:
        return None
    return Document(compressed, about.get("base", "")) if about.get("version") == series.version else None


def _compact(archive: Archive, series: SeriesRow, base: str) -> Document:
    text = with_base(_array(_lines(archive, _instances(archive, series))), base)
    document = Document(gzip.compress(text, _SMALL, mtime=0), base)
    # A writer that came in between changed the version: then this object is never taken for current.
    about = {"version": series.version, "base": base}
    archive.storage.write_gzip(keys.series_object(series.study, series.series), document.compressed, about)
    return document


def _instances(archive: Archive, series: SeriesRow) -> list[InstanceRow]:
    rows = in_order(archive.index.instances_of(series.study, series.series))
    if not rows:
        raise NotFound(f"no series {series.series} in study {series.study}")
    return rows


def instance_metadata(archive: Archive, row: InstanceRow, base: str) -> Document:
    """The metadata of one instance: its line of one object."""
    text = with_base(_array(_lines(archive, [row])), base)
    return Document(gzip.compress(text, _FAST, mtime=0), base)


def _lines(archive: Archive, rows: list[InstanceRow]) -> list[bytes]:
    """The metadata line of each row, each fragment read once."""
    wanted: dict[str, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        wanted[row.fragment].append(position)
    lines: list[bytes] = [b""] * len(rows)
    study, series = rows[0].study, rows[0].series
    objects = [keys.fragment_object(study, series, fragment) for fragment in wanted]
    texts = archive.storage.map_ahead(archive.storage.read_gzip, objects, 8)
    for positions, text in zip(wanted.values(), texts, strict=True):
        of_fragment = text.split(b"\n")
        for position in positions:
            lines[position] = of_fragment[rows[position].line]
    return lines


def _array(lines: list[bytes]) -> bytes:
    if not all(lines):
        raise ArchiveBusy("metadata are being rewritten; try again")
    return b"[" + b",".join(lines) + b"]"
