"""Retrieve Transaction (WADO-RS, PS3.18 §10.4)."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dicomweb.api.answers import (
    Part,
    accept_of,
    check_uids,
    etag_of,
    header_bytes,
    metadata_answer,
    multipart_answer,
    not_modified,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, FRAME_TYPES, JSON, OCTET_STREAM, Offer, choose
from dicomweb.dicom.uids import EXPLICIT_LITTLE, NATIVE
from dicomweb.errors import BadRequest, NotFound
from dicomweb.transactions import metadata, retrieve

router = APIRouter(tags=[STUDIES_SERVICE])

_MOST_FRAMES = 1000  # in one request
_SERIES = "/studies/{study}/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"


@router.get("/studies/{study}")
def retrieve_study(request: Request, study: str) -> Response:
    return _retrieve(request, study)


@router.get(_SERIES)
def retrieve_series(request: Request, study: str, series: str) -> Response:
    return _retrieve(request, study, series)


@router.get(_INSTANCE)
def retrieve_instance(request: Request, study: str, series: str, instance: str) -> Response:
    return _retrieve(request, study, series, instance)


@router.get("/studies/{study}/metadata")
def retrieve_study_metadata(request: Request, study: str) -> Response:
    check_uids(study)
    offer = _metadata_offer(request)
    base = base_url(request)
    return metadata_answer(request, metadata.study_metadata(archive_of(request), study, base), offer.name, base)


@router.get(_SERIES + "/metadata")
def retrieve_series_metadata(request: Request, study: str, series: str) -> Response:
    check_uids(study, series)
    offer = _metadata_offer(request)
    archive, base = archive_of(request), base_url(request)
    row = archive.index.one_series(study, series)
    if row is None:
        raise NotFound(f"no series {series} in study {study}")
    return metadata_answer(request, metadata.series_metadata(archive, row, base), offer.name, base)


@router.get(_INSTANCE + "/metadata")
def retrieve_instance_metadata(request: Request, study: str, series: str, instance: str) -> Response:
    offer = _metadata_offer(request)
    base = base_url(request)
    row = _find_instance(request, study, series, instance)
    return metadata_answer(request, metadata.instance_metadata(archive_of(request), row, base), offer.name, base)


@router.get(_INSTANCE + "/frames/{frames}")
def retrieve_frames(request: Request, study: str, series: str, instance: str, frames: str) -> Response:
    numbers = _frame_numbers(frames)
    row = _find_instance(request, study, series, instance)
    return _frames_answer(request, row, numbers)


@router.get(_INSTANCE + "/bulkdata/{path:path}")
def retrieve_bulk_data(request: Request, study: str, series: str, instance: str, path: str) -> Response:
    row = _find_instance(request, study, series, instance)
    count = retrieve.frame_count(row)
    if path.upper() == "7FE00010" and row.transfer_syntax not in NATIVE and count:
        # Encapsulated pixel data have a part for each frame (PS3.18 §8.7.3.4).
        return _frames_answer(request, row, list(range(1, count + 1)))
    offer = choose(accept_of(request), [Offer(OCTET_STREAM, True), Offer(OCTET_STREAM)])
    headers = {"ETag": etag_of(row.sha256, path, str(offer))}
    if unchanged := not_modified(request, headers["ETag"]):
        return unchanged
    body = retrieve.open_bulk_data(archive_of(request), row, path)
    if not offer.multipart:
        return StreamingResponse(body, media_type=OCTET_STREAM, headers=headers)
    location = f"{_url(base_url(request), row)}/bulkdata/{path}"
    return multipart_answer(
        OCTET_STREAM, [({"Content-Type": OCTET_STREAM, "Content-Location": location}, body)], headers
    )


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
    headers = {"ETag": etag_of(str(offer), *(row.sha256 for row in rows))}
    if unchanged := not_modified(request, headers["ETag"]):
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
        "Content-Location": _url(base, row),
    }


def _frames_answer(request: Request, row: InstanceRow, numbers: list[int]) -> Response:
    offer, media_type, syntax = _choose_frames(request, row, single=len(numbers) == 1)
    headers = {"ETag": etag_of(row.sha256, str(offer), str(numbers))}
    if unchanged := not_modified(request, headers["ETag"]):
        return unchanged
    frames = retrieve.read_frames(archive_of(request), row, numbers)
    content_type = f"{media_type}; transfer-syntax={syntax}"
    if not offer.multipart:
        return Response(next(frames), headers=headers | {"Content-Type": content_type})
    url = f"{_url(base_url(request), row)}/frames"

    def parts() -> Iterator[Part]:
        for number, frame in zip(numbers, frames, strict=True):
            yield {"Content-Type": content_type, "Content-Location": f"{url}/{number}"}, [frame]

    return multipart_answer(media_type, parts(), headers)


def _choose_frames(request: Request, row: InstanceRow, single: bool) -> tuple[Offer, str, str]:
    """How frames are answered: (offer, media type of a part, its transfer syntax)."""
    stored = row.transfer_syntax
    if stored in NATIVE:
        # Whatever the file is written in, a native frame is little endian pixels (PS3.18 §8.7.3.3.2).
        media_type, syntax = OCTET_STREAM, EXPLICIT_LITTLE
    else:
        media_type, syntax = FRAME_TYPES.get(stored, OCTET_STREAM), stored
    packings = [True, False] if single else [True]
    offers = [Offer(media_type, multipart, syntax) for multipart in packings]
    if media_type != OCTET_STREAM:
        # Viewers ask for octet-stream in any transfer syntax and look at the part's own type (OHIF does).
        offers += [Offer(OCTET_STREAM, multipart, syntax, on_request=True) for multipart in packings]
    return choose(accept_of(request), offers), media_type, syntax


def _metadata_offer(request: Request) -> Offer:
    return choose(accept_of(request), [Offer(DICOM_JSON), Offer(JSON)])


def _find_instance(request: Request, study: str, series: str, instance: str) -> InstanceRow:
    check_uids(study, series, instance)
    return retrieve.find_instances(archive_of(request), study, series, instance)[0]


def _frame_numbers(text: str) -> list[int]:
    numbers = text.split(",")
    if len(numbers) > _MOST_FRAMES:
        raise BadRequest(f"{len(numbers)} frames; expected at most {_MOST_FRAMES} in one request")
    if not all(number.strip().isdecimal() and len(number) < 10 for number in numbers):
        raise BadRequest(f"frames {text!r}: expected frame numbers separated by commas, such as 1,3")
    return [int(number) for number in numbers]


def _url(base: str, row: InstanceRow) -> str:
    return f"{base}/studies/{row.study}/series/{row.series}/instances/{row.instance}"
