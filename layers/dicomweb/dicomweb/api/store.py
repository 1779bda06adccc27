"""Store Transaction (STOW-RS, PS3.18 §10.5)."""

from collections.abc import Iterator

from anyio import from_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from dicomweb.api.answers import check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, MULTIPART, parse
from dicomweb.dicom.multipart import Part, read_parts
from dicomweb.dicom.store_response import store_response
from dicomweb.errors import InvalidBody, UnsupportedMediaType
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload

router = APIRouter(tags=[STUDIES_SERVICE])

_EXPECTED = 'expected multipart/related; type="application/dicom"; boundary=…, or application/dicom for one instance'


@router.post("/studies")
def store(request: Request) -> Response:
    return _store(request, "")


@router.post("/studies/{study}")
def store_of_study(request: Request, study: str) -> Response:
    check_uids(study)
    return _store(request, study)


def _store(request: Request, study: str) -> Response:
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
    return read_parts(_chunks(request), boundary, Upload)


def _single_part(request: Request) -> Iterator[Part[Upload]]:
    upload = Upload()
    for chunk in _chunks(request):
        upload.write(chunk)
    if upload.size == 0:
        raise InvalidBody("the body is empty; expected a DICOM file")
    declared = request.headers.get("content-length", "")
    fault = "" if declared in ("", str(upload.size)) else f"Content-Length is {declared}, {upload.size} bytes arrived"
    yield Part({"content-type": DICOM}, upload, fault)


def _chunks(request: Request) -> Iterator[bytes]:
    """The body as it arrives, for a thread that reads it. A user agent that hangs up ends it early."""
    stream = request.stream()

    async def next_chunk() -> bytes | None:
        return await anext(stream, None)

    try:
        while (chunk := from_thread.run(next_chunk)) is not None:
            if chunk:
                yield chunk
    except ClientDisconnect:
        return
