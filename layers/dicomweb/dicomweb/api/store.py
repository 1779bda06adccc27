"""Store Transaction (STOW-RS, PS3.18 §10.5)."""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from anyio import CapacityLimiter, fail_after, from_thread, to_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from dicomweb.api.answers import accept_of, check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.observing import note_resources
from dicomweb.api.urls import base_url
from dicomweb.dicom.gzip_stream import inflated
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, MULTIPART, Offer, choose, parse
from dicomweb.dicom.multipart import MAX_BOUNDARY, Part, SpoolT, read_parts
from dicomweb.dicom.store_response import Stored, store_response
from dicomweb.dicom.xml_model import to_xml
from dicomweb.errors import ArchiveBusy, BadRequest, InvalidBody, NotAcceptable, UnsupportedMediaType
from dicomweb.transactions.assembled import METADATA, Section, Sections, assembled
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload

router = APIRouter(tags=[STUDIES_SERVICE])

_STALLED_S = 60  # seconds without a byte after which a body has ended
_SLOWEST = 1024  # bytes a second, on average, after the first minute
# Stores at work at once: each holds a thread while its body arrives, and other transactions need some too.
_AT_ONCE = 64
_EXPECTED = (
    'expected multipart/related; boundary=…; type="application/dicom", or of application/dicom+json or '
    "application/dicom+xml with bulk data beside them; or application/dicom for one instance"
)
_CODINGS = ("identity", "gzip")


@router.post("/studies")
async def store(request: Request) -> Response:
    return await _store(request, "")


@router.post("/studies/{study}")
async def store_of_study(request: Request, study: str) -> Response:
    check_uids(study)
    return await _store(request, study)


async def _store(request: Request, study: str) -> Response:
    limiter = _limiter()
    if limiter.available_tokens < 1:
        raise ArchiveBusy(f"{_AT_ONCE} stores are under way; try again")
    return await to_thread.run_sync(_store_parts, request, study, limiter=limiter)


@lru_cache
def _limiter() -> CapacityLimiter:
    return CapacityLimiter(_AT_ONCE)


def _store_parts(request: Request, study: str) -> Response:
    outcomes = store_instances(archive_of(request), _parts(request), study)
    if not outcomes:
        raise InvalidBody("the body has no parts; expected at least one, with a DICOM file")
    note_resources(request, (outcome.study for outcome in outcomes if isinstance(outcome, Stored)))
    status, body = store_response(outcomes, study, base_url(request))
    # Who accepts none of them has stored something all the same, and is told so.
    with suppress(BadRequest, NotAcceptable):
        if choose(accept_of(request), [Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML)]).name == DICOM_XML:
            return Response(to_xml(body), status, media_type=DICOM_XML)
    return Response(dumps(body), status, media_type=DICOM_JSON)


def _parts(request: Request) -> Iterator[Part[Upload]]:
    coding = request.headers.get("content-encoding", "identity").lower()
    if coding not in _CODINGS:
        raise UnsupportedMediaType(f"Content-Encoding {coding[:40]} is not taken; expected {' or '.join(_CODINGS)}")
    media_type = parse(request.headers.get("content-type", ""))
    if media_type.name == DICOM:
        return _single_part(request)
    if media_type.name in METADATA:
        return assembled(_single_metadata(request, media_type.name), base_url(request))
    root_type = media_type.part_type or DICOM
    if media_type.name != MULTIPART or root_type not in (DICOM, *METADATA):
        raise UnsupportedMediaType(f"Content-Type is {request.headers.get('content-type', '')!r}; {_EXPECTED}")
    boundary = media_type.parameters.get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY or not boundary.isascii():
        raise InvalidBody(f"Content-Type has the boundary {boundary!r}; expected 1 to {MAX_BOUNDARY} ASCII characters")
    body = _Body(request)
    if root_type == DICOM:
        return body.parts(read_parts(body, boundary, Upload))
    return assembled(body.parts(read_parts(body, boundary, Sections())), base_url(request))


def _single_metadata(request: Request, media_type: str) -> Iterator[Part[Section]]:
    section, body = Sections()(), _Body(request)
    for chunk in body:
        section.write(chunk)
    yield Part({"content-type": media_type}, section, body.fault)


def _single_part(request: Request) -> Iterator[Part[Upload]]:
    upload, body = Upload(), _Body(request)
    for chunk in body:
        upload.write(chunk)
    if upload.size == 0 and not body.fault:
        raise InvalidBody("the body is empty; expected a DICOM file")
    yield Part({"content-type": DICOM}, upload, body.fault)


class _Body:
    """The chunks of a body; `fault` says why there are no more of them, "" where it is complete."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.fault = ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from _decoded(self._request)
        except (_Interrupted, InvalidBody) as error:
            self.fault = str(error)

    def parts(self, parts: Iterator[Part[SpoolT]]) -> Iterator[Part[SpoolT]]:
        """The parts of this body; what is wrong with the one where it ends has its reason."""
        try:
            for part in parts:
                if part.fault and self.fault:
                    part.fault += f"; {self.fault}"
                yield part
        except InvalidBody as error:
            raise InvalidBody(f"{error}; {self.fault}" if self.fault else str(error)) from error


class _Interrupted(Exception):
    """The user agent hung up or stalled before the end of the body."""


def _decoded(request: Request) -> Iterator[bytes]:
    """The body without its Content-Encoding.

    Raises:
        _Interrupted: it will not be complete.
        InvalidBody: it is no gzip, or one that grows too much.
    """
    gzipped = request.headers.get("content-encoding", "identity").lower() == "gzip"
    return inflated(_chunks(request)) if gzipped else _chunks(request)


def _chunks(request: Request) -> Iterator[bytes]:
    """The body as it arrives, for a thread that reads it.

    Raises:
        _Interrupted: it will not be complete.
    """
    stream = request.stream()
    started, received = time.monotonic(), 0

    async def next_chunk() -> bytes | None:
        with fail_after(_STALLED_S):
            return await anext(stream, None)

    try:
        while (chunk := from_thread.run(next_chunk)) is not None:
            received += len(chunk)
            elapsed = time.monotonic() - started
            if elapsed > _STALLED_S and received < _SLOWEST * elapsed:
                raise _Interrupted(f"the body came too slowly: {received} bytes in {elapsed:.0f} s")
            if chunk:
                yield chunk
    except ClientDisconnect as error:
        raise _Interrupted(f"the body ended after {received} bytes, before it was complete") from error
    except TimeoutError as error:
        raise _Interrupted(f"the body stalled for {_STALLED_S} s after {received} bytes") from error
