"""Bulk data of an instance (PS3.18 §10.4.1.1.5)."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dicomweb.api.answers import (
    INSTANCE_PATH,
    accept_of,
    etag_of,
    find_instance,
    multipart_answer,
    not_modified,
    url_of,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.frames import frames_answer
from dicomweb.api.urls import base_url
from dicomweb.dicom.media_types import OCTET_STREAM, Offer, choose
from dicomweb.dicom.uids import NATIVE
from dicomweb.transactions import retrieve

router = APIRouter(tags=[STUDIES_SERVICE])


@router.get(INSTANCE_PATH + "/bulkdata/{path:path}")
def retrieve_bulk_data(request: Request, study: str, series: str, instance: str, path: str) -> Response:
    row = find_instance(request, study, series, instance)
    count = retrieve.frame_count(row)
    if path.upper() == "7FE00010" and row.transfer_syntax not in NATIVE and count:
        # Encapsulated pixel data have a part for each frame (PS3.18 §8.7.3.4).
        return frames_answer(request, row, list(range(1, count + 1)))
    offer = choose(accept_of(request), [Offer(OCTET_STREAM, True), Offer(OCTET_STREAM)])
    headers = validators(etag_of(row.sha256, path, str(offer)), row.stored_s, immutable=True)
    if unchanged := not_modified(request, headers):
        return unchanged
    body = retrieve.open_bulk_data(archive_of(request), row, path)
    if not offer.multipart:
        return StreamingResponse(body, media_type=OCTET_STREAM, headers=headers)
    location = f"{url_of(base_url(request), row)}/bulkdata/{path}"
    return multipart_answer(
        OCTET_STREAM, [({"Content-Type": OCTET_STREAM, "Content-Location": location}, body)], headers
    )
