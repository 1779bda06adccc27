"""Requests whose metadata and bulk data come apart, as instances (PS3.18 §10.5.2): each metadata item is a file."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urljoin

from dicomweb.dicom.assemble import Encapsulated, assemble
from dicomweb.dicom.json_encode import Bulk
from dicomweb.dicom.json_model import DataSet, first
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, MediaType, parse
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.xml_reader import read_xml
from dicomweb.errors import CannotTranscode, InvalidDicom
from dicomweb.pixels.derived import COMPRESSED, derive, is_compressed
from dicomweb.transactions.upload import Upload

METADATA = (DICOM_JSON, DICOM_XML)

_PIXEL_DATA = "7FE00010"
_DOCUMENT, _DOCUMENT_TYPE, _DOCUMENT_BYTES = "00420011", "00420012", "00420015"
_BITS_ALLOCATED, _FRAMES = "00280100", "00280008"
_CHUNK = 1024 * 1024  # bytes
_MAX_METADATA = 64 * 1024 * 1024  # bytes of one part
_MAX_FRAME = 1024 * 1024 * 1024  # bytes of a compressed frame, which is looked at as a whole


class Section:
    """A part's content in the one file that all parts of a request share; a spool for `dicom.multipart`."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.start = file.seek(0, 2)
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self._file.seek(self.start + self.size)
        self._file.write(chunk)
        self.size += len(chunk)

    def chunks(self, start: int) -> Iterator[bytes]:
        """The bytes from start."""
        while start < self.size:
            self._file.seek(self.start + start)
            chunk = self._file.read(min(_CHUNK, self.size - start))
            if not chunk:
                return
            start += len(chunk)
            yield chunk

    def read(self) -> bytes:
        return b"".join(self.chunks(0))


class Sections:
    """Opens sections, one after the other is filled."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 — closed by close()

    def __call__(self) -> Section:
        return Section(self._file)

    def close(self) -> None:
        self._file.close()


class _BulkPart:
    def __init__(self, part: Part[Section], media_type: MediaType) -> None:
        self.content = part.content
        self.media_type = media_type
        self.is_used = False

    @property
    def bulk(self) -> Bulk:
        return Bulk(self.content.size, lambda: self.content.chunks(0))


def assembled(parts: Iterable[Part[Section]], base: str) -> Iterator[Part[Upload]]:
    """A file for each data set in the metadata parts; what cannot be made is a part with its fault.

    Bulk data that nothing refers to are a fault too: nothing is lost in silence.

    Args:
        base: the URL that locations in the request are relative to.
    """
    metadata: list[tuple[Part[Section], str]] = []
    bulk: dict[str, list[_BulkPart]] = {}
    for part in parts:
        media_type = parse(part.headers.get("content-type", OCTET_STREAM))
        if part.fault:
            yield _failed(part.fault)
        elif media_type.name in (*METADATA, JSON):
            metadata.append((part, media_type.name))
        elif media_type.name == DICOM:
            yield _failed(f"a part is {DICOM} in a request whose parts are metadata and bulk data")
        elif location := part.headers.get("content-location", ""):
            bulk.setdefault(_resolved(location, base), []).append(_BulkPart(part, media_type))
        else:
            yield _failed("bulk data without Content-Location, which metadata refer to them by")
    if not metadata and not bulk:
        return
    for part, name in metadata:
        yield from _instances(part, name, bulk, base)
    for location, members in bulk.items():
        if not any(member.is_used for member in members):
            yield _failed(f"no metadata refer to the bulk data at {location[:200]!r}")


def _instances(
    part: Part[Section], media_type: str, bulk: dict[str, list[_BulkPart]], base: str
) -> Iterator[Part[Upload]]:
    try:
        documents = _documents(part, media_type)
    except InvalidDicom as error:
        yield _failed(str(error))
        return
    for document in documents:
        made = Upload()
        try:
            for chunk in _file(document, bulk, base):
                made.write(chunk)
        except (InvalidDicom, CannotTranscode) as error:
            made.close()
            yield _failed(str(error), document)
            continue
        yield Part({"content-type": DICOM}, made)


def _documents(part: Part[Section], media_type: str) -> list[DataSet]:
    if part.content.size > _MAX_METADATA:
        raise InvalidDicom(f"metadata of {part.content.size} bytes; expected at most {_MAX_METADATA} in a part")
    if media_type == DICOM_XML:
        return [read_xml(part.content.read())]
    try:
        parsed = json.loads(part.content.read())
    except (ValueError, RecursionError) as error:
        raise InvalidDicom(f"the metadata are no JSON: {error}") from error
    documents = parsed if isinstance(parsed, list) else [parsed]
    for document in documents:
        if not isinstance(document, dict) or not all(isinstance(value, dict) for value in document.values()):
            raise InvalidDicom("the metadata are no data set in the DICOM JSON Model (PS3.18 Annex F)")
    return documents


def _file(document: DataSet, bulk: dict[str, list[_BulkPart]], base: str) -> Iterator[bytes]:
    def find(uri: str) -> list[_BulkPart]:
        found = bulk.get(_resolved(uri, base))
        if not found:
            raise InvalidDicom(f"no part has the Content-Location {uri[:200]!r}, which the metadata refer to")
        for each in found:
            each.is_used = True
        return found

    document = dict(document)
    pixels = None
    if uri := document.get(_PIXEL_DATA, {}).get("BulkDataURI"):
        parts = find(uri)
        if is_compressed(parts[0].media_type.name):
            pixels = _encapsulated(parts, document)
        elif parts[0].media_type.name != OCTET_STREAM:
            # There is no transfer syntax for PNG or GIF: they are media types of rendered pictures (PS3.18 §8.7.4).
            expected = ", ".join((OCTET_STREAM, *COMPRESSED))
            raise InvalidDicom(f"pixel data are {parts[0].media_type.name}, which is not taken; expected {expected}")
        elif len(parts) > 1:
            raise InvalidDicom(f"{len(parts)} parts have the Content-Location of native pixel data; expected one")
        else:
            document[_PIXEL_DATA] = document[_PIXEL_DATA] | {"vr": _native_vr(document)}
    if uri := document.get(_DOCUMENT, {}).get("BulkDataURI"):
        _describe_document(document, find(uri)[0])
    return assemble(document, pixels, lambda uri: find(uri)[0].bulk)


def _encapsulated(parts: list[_BulkPart], document: DataSet) -> Encapsulated:
    """Compressed frames; what they say of themselves is put where the metadata do not say it."""
    media_type = parts[0].media_type
    if max(part.content.size for part in parts) > _MAX_FRAME:
        raise InvalidDicom(f"a compressed frame has more than {_MAX_FRAME} bytes")
    derived = [derive(part.content.read(), media_type.name, media_type.transfer_syntax) for part in parts]
    for name, value in derived[0].attributes.items():
        if "Value" not in document.get(name, {}):
            document[name] = value
    if len(parts) > 1 and first(document, _FRAMES) is None:
        document[_FRAMES] = {"vr": "IS", "Value": [len(parts)]}
    return Encapsulated([_bulk_of(each.frame) for each in derived], derived[0].transfer_syntax)


def _bulk_of(content: bytes) -> Bulk:
    return Bulk(len(content), lambda: iter([content]))


def _native_vr(document: DataSet) -> str:
    """PS3.5 A.2: OW where a sample has more than a byte."""
    bits = first(document, _BITS_ALLOCATED)
    is_wide = not isinstance(bits, int) or bits > 8
    return "OW" if is_wide or document[_PIXEL_DATA].get("vr") == "OW" else "OB"


def _describe_document(document: DataSet, part: _BulkPart) -> None:
    """PS3.3 C.24.2, where the metadata do not."""
    if "Value" not in document.get(_DOCUMENT_TYPE, {}) and part.media_type.name != OCTET_STREAM:
        document[_DOCUMENT_TYPE] = {"vr": "LO", "Value": [part.media_type.name]}
    if "Value" not in document.get(_DOCUMENT_BYTES, {}):
        document[_DOCUMENT_BYTES] = {"vr": "UL", "Value": [part.content.size]}


def _resolved(location: str, base: str) -> str:
    return unquote(urljoin(f"{base}/", location.strip()))


def _failed(fault: str, document: DataSet | None = None) -> Part[Upload]:
    names = {"sop-instance": "00080018", "sop-class": "00080016"}
    known = {name: str(first(document, tag) or "") for name, tag in names.items()} if document else {}
    return Part(known, Upload(), fault)
