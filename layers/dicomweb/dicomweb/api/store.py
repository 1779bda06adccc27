"""Store Transaction (STOW-RS, PS3.18 §10.5)."""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from anyio import CapacityLimiter, fail_after, from_thread, to_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from dicomweb.api.answers import check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, MULTIPART, parse
from dicomweb.dicom.multipart import Part, read_parts
from dicomweb.dicom.store_response import store_response
from dicomweb.errors import ArchiveBusy, InvalidBody, UnsupportedMediaType
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload

router = APIRouter(tags=[STUDIES_SERVICE])

_STALLED_S = 60  # seconds without a byte after which a body has ended
_SLOWEST = 1024  # bytes a second, on average, after the first minute
# Stores at work at once: each holds a thread while its body arrives, and other transactions need some too.
_AT_ONCE = 64
_EXPECTED = 'expected multipart/related; type="application/dicom"; boundary=…, or application/dicom for one instance'


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
    status, body = store_response(outcomes, study, base_url(request))
    return Response(dumps(body), status, media_type=DICOM_JSON)


def _parts(request: Request) -> Iterator[Part[Upload]]:
    coding = request.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise UnsupportedMediaType(f"Content-Encoding {coding} is not taken; expected none")
    media_type = parse(request.headers.get("content-type", ""))
    if media_type.name == DICOM:
        return _single_part(request)
    root_type = media_type.part_type or DICOM
    if media_type.name != MULTIPART or root_type != DICOM:
        raise UnsupportedMediaType(f"Content-Type is {request.headers.get('content-type', '')!r}; {_EXPECTED}")
    boundary = media_type.parameters.get("boundary", "")
    if not 0 < len(boundary) <= 70 or not boundary.isascii():  # RFC 2046 §5.1.1
        raise InvalidBody(f"Content-Type has the boundary {boundary!r}; expected 1 to 70 ASCII characters")
    return read_parts(_until_interrupted(request), boundary, Upload)


def _single_part(request: Request) -> Iterator[Part[Upload]]:
    upload = Upload()
    fault = ""
    try:
        for chunk in _chunks(request):
            upload.write(chunk)
    except _Interrupted as error:
        fault = str(error)
    if upload.size == 0 and not fault:
        raise InvalidBody("the body is empty; expected a DICOM file")
    yield Part({"content-type": DICOM}, upload, fault)


def _until_interrupted(request: Request) -> Iterator[bytes]:
    # A multipart body says itself when it is complete: what is cut off is missed there.
    with suppress(_Interrupted):
        yield from _chunks(request)


class _Interrupted(Exception):
    """The user agent hung up or stalled before the end of the body."""


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
