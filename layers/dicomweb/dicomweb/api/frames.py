"""Frames of an instance (PS3.18 §10.4.1.1.6 and §8.7.3.3)."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import (
    INSTANCE_PATH,
    Part,
    accept_of,
    etag_of,
    find_instance,
    multipart_answer,
    not_modified,
    url_of,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import FRAME_TYPES, OCTET_STREAM, Offer, choose
from dicomweb.dicom.uids import EXPLICIT_LITTLE, NATIVE
from dicomweb.errors import BadRequest
from dicomweb.transactions import retrieve

router = APIRouter(tags=[STUDIES_SERVICE])

_MOST_FRAMES = 1000  # in one request


@router.get(INSTANCE_PATH + "/frames/{frames}")
def retrieve_frames(request: Request, study: str, series: str, instance: str, frames: str) -> Response:
    numbers = _frame_numbers(frames)
    row = find_instance(request, study, series, instance)
    return frames_answer(request, row, numbers)


def frames_answer(request: Request, row: InstanceRow, numbers: list[int]) -> Response:
    offer, media_type, syntax = _choose_frames(request, row, single=len(numbers) == 1)
    headers = validators(etag_of(row.sha256, str(offer), str(numbers)), row.stored_s, immutable=True)
    if unchanged := not_modified(request, headers):
        return unchanged
    frames = retrieve.read_frames(archive_of(request), row, numbers)
    content_type = f"{media_type}; transfer-syntax={syntax}"
    if not offer.multipart:
        return Response(next(frames), headers=headers | {"Content-Type": content_type})
    url = f"{url_of(base_url(request), row)}/frames"

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


def _frame_numbers(text: str) -> list[int]:
    numbers = text.split(",")
    if len(numbers) > _MOST_FRAMES:
        raise BadRequest(f"{len(numbers)} frames; expected at most {_MOST_FRAMES} in one request")
    if not all(number.strip().isdecimal() and len(number) < 10 for number in numbers):
        raise BadRequest(f"frames {text!r}: expected frame numbers separated by commas, such as 1,3")
    return [int(number) for number in numbers]
