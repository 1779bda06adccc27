"""Upload sessions (an extension): bodies of any size through hosts that take small ones."""

import re
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from dicomweb.api.app import STUDIES_SERVICE, archive_of, identity_of
from dicomweb.api.bodies import checked, json_body
from dicomweb.api.observing import note_name
from dicomweb.api.urls import base_url
from dicomweb.dicom.media_types import OCTET_STREAM
from dicomweb.dicom.store_response import store_response
from dicomweb.errors import BadRequest, NotFound
from dicomweb.transactions import upload_sessions
from dicomweb.transactions.upload_sessions import Progress

router = APIRouter(tags=[STUDIES_SERVICE])

_URL_S = 3600  # seconds a part's URL can be used; GET gives new ones
_MOST_URLS = 1000  # in one answer
_LONGEST_BODY = 4096  # bytes


class NewUpload(BaseModel):
    """What is going to come."""

    model_config = ConfigDict(extra="forbid")

    Size: int = Field(description="bytes")
    ContentType: str = Field(OCTET_STREAM, max_length=200, description="multipart/related with its boundary, say")


@router.post("/uploads")
async def start_upload(request: Request) -> Response:
    expected = '{"Size": bytes, "ContentType": "…"}'
    wanted = checked(NewUpload, await json_body(request, expected, _LONGEST_BODY), expected)
    if not wanted.ContentType.isascii() or not wanted.ContentType.isprintable():
        raise BadRequest("ContentType: expected a media type")
    return await to_thread.run_sync(_start, request, wanted)


def _start(request: Request, wanted: NewUpload) -> Response:
    row = upload_sessions.start_upload(archive_of(request), wanted.Size, wanted.ContentType, identity_of(request))
    note_name(request, "Upload", row.upload)
    described = _described(request, Progress(row, frozenset(), False, None))
    return JSONResponse(described, 201, {"Location": described["Url"]})


@router.get("/uploads/{upload}")
def retrieve_upload(request: Request, upload: str) -> Response:
    progress = upload_sessions.progress_of(archive_of(request), _checked(upload), identity_of(request))
    return JSONResponse(_described(request, progress))


@router.post("/uploads/{upload}/complete")
def complete_upload(request: Request, upload: str) -> Response:
    upload_sessions.complete_upload(archive_of(request), _checked(upload), identity_of(request))
    url = f"{base_url(request)}/uploads/{upload}"
    return JSONResponse({"Id": upload, "State": "Storing", "Url": url}, 202, {"Location": url})


@router.delete("/uploads/{upload}")
def abort_upload(request: Request, upload: str) -> Response:
    upload_sessions.abort_upload(archive_of(request), _checked(upload), identity_of(request))
    return Response(status_code=204)


def _described(request: Request, progress: Progress) -> dict[str, Any]:
    row = progress.row
    described: dict[str, Any] = {
        "Id": row.upload,
        "State": "Receiving" if not progress.is_complete else "Storing" if progress.outcomes is None else "Done",
        "Url": f"{base_url(request)}/uploads/{row.upload}",
        "Size": row.size,
        "PartSize": row.part_bytes,
        "PartCount": upload_sessions.part_count(row),
        "Received": len(progress.received),
        "Expires": row.expires_s,
    }
    if not progress.is_complete:
        urls = upload_sessions.part_urls(archive_of(request), row, progress.missing[:_MOST_URLS], _URL_S)
        described["Parts"] = [{"PartNumber": number, "Url": url} for number, url in urls.items()]
    if progress.outcomes is not None:
        status, response = store_response(progress.outcomes, "", base_url(request))
        described |= {"Status": status, "Response": response}
    return described


def _checked(upload: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", upload):
        raise NotFound(f"no upload {upload[:64]}")
    return upload
