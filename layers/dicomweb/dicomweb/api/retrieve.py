"""Retrieve Transaction (WADO-RS, PS3.18 §10.4)."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dicomweb.api.answers import (
    INSTANCE_PATH,
    SERIES_PATH,
    STUDY_PATH,
    accept_of,
    check_uids,
    etag_of,
    header_bytes,
    multipart_answer,
    not_modified,
    url_of,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import DICOM, Offer, choose
from dicomweb.transactions import retrieve

router = APIRouter(tags=[STUDIES_SERVICE])


@router.get(STUDY_PATH)
def retrieve_study(request: Request, study: str) -> Response:
    return _retrieve(request, study)


@router.get(SERIES_PATH)
def retrieve_series(request: Request, study: str, series: str) -> Response:
    return _retrieve(request, study, series)


@router.get(INSTANCE_PATH)
def retrieve_instance(request: Request, study: str, series: str, instance: str) -> Response:
    return _retrieve(request, study, series, instance)


def _retrieve(request: Request, *uids: str) -> Response:
    check_uids(*uids)
    archive = archive_of(request)
    rows = retrieve.find_instances(archive, *uids)
    stored = retrieve.transfer_syntaxes(rows)
    # Nothing is transcoded: what is stored is what can be had.
    offers = [Offer(DICOM, True, syntax) for syntax in (stored if len(stored) == 1 else ["*"])]
    if len(rows) == 1:
        offers.append(Offer(DICOM, False, stored[0]))
    offer = choose(accept_of(request), offers, f"stored as {', '.join(stored)}")
    changed_s = max(row.stored_s for row in rows)
    headers = validators(etag_of(str(offer), *(row.sha256 for row in rows)), changed_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    if not offer.multipart:
        _, body = next(retrieve.open_instances(archive, rows))
        headers["Content-Length"] = str(rows[0].size)
        return StreamingResponse(body, media_type=DICOM, headers=headers)
    base = base_url(request)
    part_headers = [_instance_headers(base, row) for row in rows]
    sizes = [header_bytes(each) + row.size for each, row in zip(part_headers, rows, strict=True)]
    bodies = (body for _, body in retrieve.open_instances(archive, rows))
    return multipart_answer(DICOM, zip(part_headers, bodies, strict=True), headers, sizes)


def _instance_headers(base: str, row: InstanceRow) -> dict[str, str]:
    return {
        "Content-Type": f"{DICOM}; transfer-syntax={row.transfer_syntax}",
        "Content-Length": str(row.size),
        "Content-Location": url_of(base, row),
    }
