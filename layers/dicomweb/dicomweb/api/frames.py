"""Frames of an instance (PS3.18 §10.4.1.1.6 and §8.7.3.3)."""

import re
from collections.abc import Iterator
from contextlib import suppress

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
from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import FRAME_TYPES, OCTET_STREAM, Offer, choose
from dicomweb.dicom.uids import EXPLICIT_LITTLE, NATIVE
from dicomweb.errors import BadRequest, CannotTranscode, NotAcceptable
from dicomweb.pixels.capabilities import cannot_decode
from dicomweb.pixels.image import ImagePixel
from dicomweb.transactions import frames
from dicomweb.transactions.retrieve import image_of

router = APIRouter(tags=[STUDIES_SERVICE])

_MOST_FRAMES = 1000  # named in one request
_MOST_KEPT = 2 * 1024**3  # bytes of decoded frames that are made before the first of them is sent
_MOST_REORDERED = 256 * 1024**2  # bytes of stored frames that are kept to be sent in another order

# Who takes anything gets pixels, where they can be had (PS3.18 §8.7.3.3).
_ANYTHING = re.compile(r"((?:^|,)\s*)\*/\*")

Numbers = range | list[int]


@router.get(INSTANCE_PATH + "/frames")
def retrieve_all_frames(request: Request, study: str, series: str, instance: str) -> Response:
    row = find_instance(request, study, series, instance)
    return frames_answer(request, row, all_frames(row))


@router.get(INSTANCE_PATH + "/frames/{numbers}")
def retrieve_frames(request: Request, study: str, series: str, instance: str, numbers: str) -> Response:
    wanted = frame_numbers(numbers)
    return frames_answer(request, find_instance(request, study, series, instance), wanted)


def all_frames(row: InstanceRow) -> range:
    """Raises NotFound for an instance without frames."""
    frames.check_numbers(row, [1])
    return range(1, frames.frame_count(row) + 1)


def frames_answer(request: Request, row: InstanceRow, numbers: Numbers) -> Response:
    """Frames as they are stored, or decoded."""
    accept = accept_of(request)
    accept = _ANYTHING.sub(rf'\1multipart/related; type="{OCTET_STREAM}"', accept.strip() or "*/*")
    if _ANYTHING.search(accept_of(request).strip() or "*/*"):
        accept += ", */*; q=0.001"
    offers = _offers(row, single=len(numbers) == 1)
    try:
        return _answer(request, row, numbers, choose(accept, offers, f"stored as {row.transfer_syntax}"))
    except CannotTranscode:
        # A frame is broken: who also takes what is stored gets that (RFC 9110 §12.5.1).
        stored = [offer for offer in offers if offer.transfer_syntax == row.transfer_syntax]
        with suppress(NotAcceptable):
            return _answer(request, row, numbers, choose(accept, stored))
        raise


def _answer(request: Request, row: InstanceRow, numbers: Numbers, offer: Offer) -> Response:
    headers = validators(etag_of(row.sha256, str(offer), str(numbers), base_url(request)), row.stored_s, immutable=True)
    # What is not there is said also to who has something else of this name.
    frames.check_numbers(row, numbers)
    if unchanged := not_modified(request, headers):
        return unchanged
    is_decoded = row.transfer_syntax not in NATIVE and offer.transfer_syntax == EXPLICIT_LITTLE
    contents = _contents(archive_of(request), row, numbers, is_decoded=is_decoded)
    parts = frame_parts(request, row, numbers, contents, offer.transfer_syntax)
    if offer.multipart:
        return multipart_answer(offer.name, parts, headers)
    part_headers, content = next(parts)
    return Response(b"".join(content), headers=headers | {"Content-Type": part_headers["Content-Type"]})


def _contents(archive: Archive, row: InstanceRow, numbers: Numbers, *, is_decoded: bool) -> Iterator[bytes]:
    """The frames in the order asked for; each is read and decoded once, in the order in which they stand."""
    distinct = numbers if isinstance(numbers, range) else sorted(set(numbers))
    image = _decodable(row) if is_decoded else None
    if is_decoded and not image:
        raise NotAcceptable(f"frames in {row.transfer_syntax} cannot be decoded")
    frame_bytes = image.decoded_frame_bytes if image else row.size // frames.frame_count(row)
    if len(distinct) * frame_bytes > (_MOST_KEPT if image else _MOST_REORDERED):
        distinct = numbers  # as they are made; a broken frame ends the connection
        must_keep = False
    else:
        # All made before the first is given: a broken frame is an error, not half an answer.
        must_keep = image is not None or distinct != numbers
    contents = frames.read_frames(archive, row, distinct)
    if image:
        contents = frames.decode_frames(contents, image)
    return frames.reordered(contents, distinct, numbers) if must_keep else contents


def frame_parts(
    request: Request, row: InstanceRow, numbers: Numbers, contents: Iterator[bytes], transfer_syntax: str
) -> Iterator[Part]:
    """A part for each frame; its type is that of its content, whatever name it was asked for by."""
    media_type = FRAME_TYPES.get(transfer_syntax, OCTET_STREAM)
    url = f"{url_of(base_url(request), row)}/frames"
    for number, content in zip(numbers, contents, strict=True):
        yield (
            {
                "Content-Type": f"{media_type}; transfer-syntax={transfer_syntax}",
                "Content-Length": str(len(content)),
                "Content-Location": f"{url}/{number}",
            },
            [content],
        )


def _offers(row: InstanceRow, *, single: bool) -> list[Offer]:
    packings = [True, False] if single else [True]
    stored = row.transfer_syntax
    native = [Offer(OCTET_STREAM, multipart, EXPLICIT_LITTLE) for multipart in packings]
    if stored in NATIVE:
        # Whatever the file is written in, a native frame is little endian pixels (PS3.18 §8.7.3.3.2).
        return native
    own = FRAME_TYPES.get(stored)
    offers = [Offer(own, multipart, stored) for multipart in packings] if own else []
    # Viewers ask for octet-stream in any transfer syntax and look at the part's own type (OHIF does).
    offers += [Offer(OCTET_STREAM, multipart, stored, on_request=own is not None) for multipart in packings]
    return offers + (native if _decodable(row) else [])


def _decodable(row: InstanceRow) -> ImagePixel | None:
    """What describes the pixels, when they can be decoded."""
    try:
        image = image_of(row)
    except CannotTranscode:
        return None
    return image if image and not cannot_decode(image, row.transfer_syntax) else None


def frame_numbers(text: str) -> list[int]:
    numbers = text.split(",")
    if len(numbers) > _MOST_FRAMES:
        raise BadRequest(
            f"{len(numbers)} frames; expected at most {_MOST_FRAMES} in one request, or all of them at …/frames"
        )
    if not all(number.strip().isascii() and number.strip().isdecimal() and len(number) < 10 for number in numbers):
        raise BadRequest(f"frames {text[:80]!r}: expected frame numbers separated by commas, such as 1,3")
    return [int(number) for number in numbers]
