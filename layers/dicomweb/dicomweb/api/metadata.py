"""Metadata of instances, series and studies (PS3.18 §10.4.1.1.2)."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import (
    INSTANCE_PATH,
    SERIES_PATH,
    STUDY_PATH,
    accept_of,
    check_uids,
    etag_of,
    find_instance,
    multipart_answer,
    not_modified,
    resumed,
    streamed,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of, settings_of
from dicomweb.api.urls import base_url
from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow, SeriesRow, StudyRow, changed_s
from dicomweb.dicom.attribute_names import private_dictionary
from dicomweb.dicom.gzip_array import join
from dicomweb.dicom.json_model import DataSet, dumps
from dicomweb.dicom.media_types import DICOM_JSON, DICOM_XML, JSON, Offer, choose, parse_accept
from dicomweb.dicom.selection import Selection, parse_selection
from dicomweb.dicom.xml_model import to_xml
from dicomweb.transactions.inline_binary import with_inline_binary
from dicomweb.transactions.instances import missing
from dicomweb.transactions.main_attributes import extrapolated_attributes, main_attributes
from dicomweb.transactions.metadata import Document, instance_metadata, study_metadata
from dicomweb.transactions.search_order import series_in_order

router = APIRouter(tags=[STUDIES_SERVICE])

_FORM = "1"  # another one when the same metadata are written differently: what user agents keep is then stale
_CHUNK = 128 * 1024  # bytes handed on at once
_FULL, _MAIN = "Full", "MainDicomTags"


@router.get(STUDY_PATH + "/metadata")
def retrieve_study_metadata(request: Request, study: str) -> Response:
    check_uids(study)
    wanted = _wanted(request, settings_of(request).DicomWeb.StudiesMetadata)
    row, series = archive_of(request).index.study_with_series(study)
    if row is None or not series:
        raise missing(archive_of(request), study)
    return _answer(request, wanted, row, series_in_order(series), of_study=True)


@router.get(SERIES_PATH + "/metadata")
def retrieve_series_metadata(request: Request, study: str, series: str) -> Response:
    check_uids(study, series)
    wanted = _wanted(request, settings_of(request).DicomWeb.SeriesMetadata)
    index = archive_of(request).index
    row = index.one_series(study, series)
    parent = index.study(study) if wanted.mode != _FULL else None
    if row is None or (parent is None and wanted.mode != _FULL):
        raise missing(archive_of(request), study, series)
    return _answer(request, wanted, parent, [row], of_study=False)


@router.get(INSTANCE_PATH + "/metadata")
def retrieve_instance_metadata(request: Request, study: str, series: str, instance: str) -> Response:
    wanted = _wanted(request, _FULL, Offer(DICOM_XML))
    row = find_instance(request, study, series, instance)
    headers = wanted.headers([row.sha256], row.stored_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    archive = archive_of(request)
    document = instance_metadata(archive, row, wanted.base)
    if wanted.is_as_stored:
        return wanted.stored([document], headers)
    return wanted.made(_with_binary(archive, wanted, document.data_sets(wanted.base), {instance: row}), headers)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request asks for, and how it is answered."""

    offer: Offer
    gzip: bool
    selection: Selection | None
    mode: str
    inline: bool
    base: str

    @property
    def is_as_stored(self) -> bool:
        """Whether JSON texts are handed on as they are stored, without a look into them."""
        return self.offer.name != DICOM_XML and self.selection is None and self.mode == _FULL and not self.inline

    def headers(self, content: list[str], changed: int) -> dict[str, str]:
        """Headers for what is made of this content; gzip is another representation (RFC 9110 §8.8.3.3)."""
        how = [_FORM, str(self.offer), self.mode, str(self.inline), self.base, repr(self._selected())]
        etag = etag_of(*content, *how)
        etag = f'{etag[:-1]}-gzip"' if self.gzip else etag
        return validators(etag, changed) | {"Vary": "Accept, Accept-Encoding"}

    def stored(self, documents: Iterable[Document], headers: dict[str, str]) -> Response:
        """An answer of texts as they are stored; in gzip they are not even inflated."""
        if self.gzip:
            return Response(join(each.gzipped(self.base) for each in documents), headers=headers | self._type())
        inner = (each.text(self.base)[1:-1] for each in documents)
        return self._streamed(_array(inner), headers)

    def made(self, data_sets: Iterator[DataSet], headers: dict[str, str]) -> Response:
        """An answer of data sets, written as they come."""
        chosen = map(self.selection.of, data_sets) if self.selection else data_sets
        if self.offer.multipart:
            return multipart_answer(
                DICOM_XML, (({"Content-Type": DICOM_XML}, [to_xml(each)]) for each in chosen), headers
            )
        if self.offer.name == DICOM_XML:
            return Response(to_xml(next(chosen)), headers=headers | self._type())
        text = _array(dumps(each).encode("utf-8", "replace") for each in chosen)
        return self._streamed(_gzipped(text) if self.gzip else text, headers)

    def _streamed(self, text: Iterator[bytes], headers: dict[str, str]) -> Response:
        start = next(text)  # what fails at once is a clean error
        more = next(text, None)
        if more is None:
            return Response(start, headers=headers | self._type())
        return streamed(resumed(text, start, more), 200, headers | self._type())

    def _type(self) -> dict[str, str]:
        return {"Content-Type": self.offer.name} | ({"Content-Encoding": "gzip"} if self.gzip else {})

    def _selected(self) -> tuple[object, ...]:
        return (sorted(self.selection.tags), self.selection.private) if self.selection else ()


def _wanted(request: Request, mode: str, *more: Offer) -> _Wanted:
    settings = settings_of(request)
    offer = choose(accept_of(request), [Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True), *more])
    private = private_dictionary(settings.Dictionary, settings.DefaultPrivateCreator)
    return _Wanted(
        offer,
        offer.name != DICOM_XML and _takes_gzip(request),
        parse_selection(parse_qsl(request.url.query, keep_blank_values=True), private),
        mode,
        settings.DicomWeb.OtherBinaryMode == "InlineBinary" and mode == _FULL,
        base_url(request),
    )


def _takes_gzip(request: Request) -> bool:
    """Whether the user agent takes gzip; what it says of gzip itself counts before `*` (RFC 9110 §12.5.3)."""
    codings = {each.name: each.quality for each in parse_accept(request.headers.get("accept-encoding", "identity"))}
    return codings.get("gzip", codings.get("*", 0)) > 0


def _answer(
    request: Request, wanted: _Wanted, study: StudyRow | None, series: list[SeriesRow], *, of_study: bool
) -> Response:
    archive = archive_of(request)
    versions = [row.version for row in series]
    if wanted.mode != _FULL and study:
        # A re-index gives rows more attributes, and no new version.
        versions += [",".join(sorted(kept.extra)) for kept in (study.kept, *(row.kept for row in series))]
        versions += [str(sorted(tags)) for tags in archive.extrapolated.values()]
    changed = max(changed_s(row.version) for row in ([study] if of_study and study else series))
    headers = wanted.headers(versions, changed)
    if unchanged := not_modified(request, headers):
        return unchanged
    if study is None or wanted.mode == _FULL:
        documents = study_metadata(archive, series, wanted.base)
        return (
            wanted.stored(documents, headers)
            if wanted.is_as_stored
            else wanted.made(_with_binary_of_series(archive, wanted, series, documents), headers)
        )
    if wanted.mode == _MAIN:
        return wanted.made(main_attributes(archive, study, series), headers)
    return wanted.made(extrapolated_attributes(archive, study, series, of_study=of_study), headers)


def _with_binary_of_series(
    archive: Archive, wanted: _Wanted, series: list[SeriesRow], documents: Iterator[Document]
) -> Iterator[DataSet]:
    for row, document in zip(series, documents, strict=True):
        rows = archive.index.instances_of(row.study, row.series) if wanted.inline else []
        yield from _with_binary(
            archive, wanted, document.data_sets(wanted.base), {each.instance: each for each in rows}
        )


def _with_binary(
    archive: Archive, wanted: _Wanted, data_sets: Iterator[DataSet], rows: dict[str, InstanceRow]
) -> Iterator[DataSet]:
    return with_inline_binary(archive, data_sets, rows.get) if wanted.inline else data_sets


def _array(elements: Iterable[bytes]) -> Iterator[bytes]:
    """A JSON array, in chunks of some size."""
    chunk = bytearray(b"[")
    for number, element in enumerate(elements):
        chunk += b"," if number else b""
        chunk += element
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk + b"]")


def _gzipped(text: Iterator[bytes]) -> Iterator[bytes]:
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    chunk = b""
    for each in text:
        chunk += deflate.compress(each)
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = b""
    yield chunk + deflate.flush()
