"""Metadata of instances, series and studies, from the objects that ingest wrote (PS3.18 §10.4.1.1.2).

A series whose version is that of its compacted object costs one row and one object. Otherwise its fragments are put
together, in instance order, and the object is written anew.
"""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow, SeriesRow
from dicomweb.dicom.gzip_array import pack
from dicomweb.dicom.json_model import DataSet, with_base
from dicomweb.errors import ArchiveBusy, NotFound
from dicomweb.transactions.search_order import in_order

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
        return self.compressed if base == self.base else pack([self.text(base)[1:-1]], _FAST)

    def data_sets(self, base: str) -> Iterator[DataSet]:
        """The data set of each instance, parsed when it is asked for."""
        text = self.text(base).decode()
        position, decode = 1, json.JSONDecoder().raw_decode
        while position < len(text):
            data_set, end = decode(text, position)
            yield data_set
            position = end + 1  # behind the comma, or the bracket


def series_metadata(archive: Archive, series: SeriesRow, base: str) -> Document:
    """The metadata of a series.

    Raises:
        NotFound: the series was deleted since its row was read.
    """
    return _brought_here(archive, series, _compacted(archive, series), base)


def study_metadata(archive: Archive, rows: list[SeriesRow], base: str) -> Iterator[Document]:
    """The metadata of series, one after the other; objects are read ahead.

    Raises:
        NotFound: one of them was deleted since its row was read.
    """
    found = archive.storage.map_ahead(lambda row: _compacted(archive, row), rows, 8)
    return (_brought_here(archive, row, document, base) for row, document in zip(rows, found, strict=True))


def series_documents(archive: Archive, series: SeriesRow) -> dict[str, DataSet]:
    """The metadata of a series by SOP Instance UID, without an address in front of its BulkDataURIs.

    Raises:
        NotFound: the series was deleted since its row was read.
    """
    if document := _compacted(archive, series):
        text = document.text("")
    else:
        text = b"[" + b",".join(read_lines(archive, _instances(archive, series))) + b"]"
    return {document["00080018"]["Value"][0]: document for document in json.loads(text)}


def instance_metadata(archive: Archive, row: InstanceRow, base: str) -> Document:
    """The metadata of one instance: its line of one object."""
    (line,) = read_lines(archive, [row])
    return Document(pack([with_base(line, base)], _FAST), base)


def compact_series(archive: Archive, series: SeriesRow, base: str) -> Document:
    """Put the fragments of a series together, and keep them as its compacted object unless the settings forbid it.

    Raises:
        NotFound: the series was deleted since its row was read.
    """
    keep = archive.settings.DicomWeb.EnableMetadataCache
    lines = read_lines(archive, _instances(archive, series))
    document = Document(pack((with_base(line, base) for line in lines), _SMALL if keep else _FAST), base)
    if keep:
        _write(archive, series, document)
    return document


def is_compacted(archive: Archive, series: SeriesRow) -> bool:
    """Whether the compacted object of a series is there and is that of its row."""
    state = archive.storage.state(keys.series_object(series.study, series.series))
    return state is not None and state.about.get("version") == series.version


def _brought_here(archive: Archive, series: SeriesRow, document: Document | None, base: str) -> Document:
    if document is None:
        return compact_series(archive, series, base)
    if document.base or not base:
        return document
    # It was made by nobody who had an address: whoever reads it first gives it his, so that it passes through.
    document = Document(pack([document.text(base)[1:-1]], _SMALL), base)
    _write(archive, series, document)
    return document


def _compacted(archive: Archive, series: SeriesRow) -> Document | None:
    if not archive.settings.DicomWeb.EnableMetadataCache:
        return None
    try:
        compressed, about = archive.storage.read(keys.series_object(series.study, series.series))
    except NotFound:
        return None
    return Document(compressed, about.get("base", "")) if about.get("version") == series.version else None


def _write(archive: Archive, series: SeriesRow, document: Document) -> None:
    # A writer that came in between changed the version: then this object is never taken for current.
    about = {"version": series.version, "base": document.base}
    archive.storage.write_gzip(keys.series_object(series.study, series.series), document.compressed, about)


def _instances(archive: Archive, series: SeriesRow) -> list[InstanceRow]:
    rows = in_order(archive.index.instances_of(series.study, series.series))
    if not rows:
        raise NotFound(f"no series {series.series} in study {series.study}")
    return rows


def read_lines(archive: Archive, rows: list[InstanceRow]) -> list[bytes]:
    """The JSON text of each instance of one series, each fragment read once; BulkDataURIs without an address.

    Raises:
        ArchiveBusy: the metadata of one of them are not there.
    """
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
    if not all(lines):
        raise ArchiveBusy("metadata are being rewritten; try again")
    return lines
