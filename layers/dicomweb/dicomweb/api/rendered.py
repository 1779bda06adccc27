"""Rendered resources and thumbnails (PS3.18 §10.4.1.1.3 and §10.4.1.1.4)."""

from collections.abc import Iterator, Sequence

import anyio.from_thread
from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import (
    INSTANCE_PATH,
    SERIES_PATH,
    STUDY_PATH,
    Part,
    accept_of,
    check_uids,
    etag_of,
    find_instance,
    multipart_answer,
    not_modified,
    url_of,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.documents import Document, Documents, find_documents, safe_headers
from dicomweb.api.frames import frame_numbers
from dicomweb.api.ranges import ranged_answer
from dicomweb.api.urls import base_url
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import Offer, choose
from dicomweb.dicom.presentation_states import is_applied
from dicomweb.dicom.rendering import Rendering, parse_rendered
from dicomweb.errors import BadRequest, NotAcceptable, NotFound, UserAgentGone
from dicomweb.pixels.pictures import GIF, JP2, JPEG, PNG, WEBP
from dicomweb.transactions import frames, presented, rendered, thumbnails
from dicomweb.transactions.instances import find_instances
from dicomweb.transactions.rendered import NoPicture, Shot
from dicomweb.transactions.upload import Upload

router = APIRouter(tags=[STUDIES_SERVICE])

PICTURES = (JPEG, PNG, GIF, WEBP, JP2)  # the default first
_MOST_NAMED = 10  # frames in a message


@router.get(STUDY_PATH + "/rendered")
def retrieve_rendered_study(request: Request, study: str) -> Response:
    return _rendered(request, study)


@router.get(SERIES_PATH + "/rendered")
def retrieve_rendered_series(request: Request, study: str, series: str) -> Response:
    return _rendered(request, study, series)


@router.get(INSTANCE_PATH + "/rendered")
def retrieve_rendered_instance(request: Request, study: str, series: str, instance: str) -> Response:
    return _rendered(request, study, series, instance)


@router.get(INSTANCE_PATH + "/frames/{numbers}/rendered")
def retrieve_rendered_frames(request: Request, study: str, series: str, instance: str, numbers: str) -> Response:
    wanted = frame_numbers(numbers)
    row = find_instance(request, study, series, instance)
    frames.check_numbers(row, wanted)
    shots = [Shot(row, number) for number in wanted]
    return _pictures(request, shots, _offers(one_first=len(shots) == 1), immutable=True)


@router.get(STUDY_PATH + "/thumbnail")
def retrieve_study_thumbnail(request: Request, study: str) -> Response:
    return _thumbnail(request, study)


@router.get(SERIES_PATH + "/thumbnail")
def retrieve_series_thumbnail(request: Request, study: str, series: str) -> Response:
    return _thumbnail(request, study, series)


@router.get(INSTANCE_PATH + "/thumbnail")
def retrieve_instance_thumbnail(request: Request, study: str, series: str, instance: str) -> Response:
    return _thumbnail(request, study, series, instance)


@router.get(INSTANCE_PATH + "/frames/{numbers}/thumbnail")
def retrieve_frame_thumbnail(request: Request, study: str, series: str, instance: str, numbers: str) -> Response:
    first, *others = frame_numbers(numbers)
    if others:
        raise BadRequest(f"frames {numbers[:80]!r}: a thumbnail is of one frame")
    return _thumbnail(request, study, series, instance, frame=first)


def _rendered(request: Request, *uids: str) -> Response:
    check_uids(*uids)
    rows = find_instances(archive_of(request), *uids)
    shown = [row for row in rows if rendered.has_pictures(row)]
    if not shown and (states := [row for row in rows if is_applied(row.attributes)]):
        return _presented(request, states)
    if not shown and len(rows) == 1:
        documents = find_documents(archive_of(request), rows[0], request.query_params)
        return document_answer(request, rows[0], documents, accept_of(request))
    if not shown:
        raise NotAcceptable(f"none of the {len(rows)} instances has a picture; each may be had as /rendered by itself")
    shots = rendered.bounded(shot for row in shown for shot in rendered.shots_of(row))
    return _pictures(request, shots, _offers(one_first=len(rows) == 1 or len(shots) == 1))


def _presented(request: Request, states: list[InstanceRow]) -> Response:
    """The images that presentation states are for, seen with them (PS3.18 §8.3.5)."""
    archive = archive_of(request)
    presented.check_rendering(parse_rendered(request.query_params))
    found = [presented.shots_of_state(archive, presented.read_state(archive, row)) for row in states]
    shots = [shot for of_state, _ in found for shot in of_state]
    missing = [uid for _, of_state in found for uid in of_state]
    if not shots:
        raise NotFound(f"none of the {len(missing)} images that presentation state {states[0].instance} references")
    return _pictures(request, shots, _offers(one_first=len(states) == 1 or len(shots) == 1), missing)


def document_answer(request: Request, row: InstanceRow, documents: Documents, accept: str) -> Response:
    """What is no image in a form of its own.

    Args:
        documents: its forms, as find_documents gives them.

    Raises:
        NotAcceptable: it has none, or none that is accepted.
    """
    if not documents:
        raise NotAcceptable(f"instance {row.instance} is nothing that is shown: it has no pixels, document or report")
    offer = choose(accept, [Offer(name) for name in documents])
    parameters = request.query_params.get("charset", "")
    headers = validators(etag_of(row.sha256, str(offer), parameters, rendered.VERSION), row.stored_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    document: Document = documents[offer.name]()
    headers |= {"Content-Type": document.media_type} | safe_headers(offer.name)
    return ranged_answer(request, document.length, document.open, headers)


def _offers(*, one_first: bool) -> list[Offer]:
    """One picture, of the first frame or as a GIF of all of them moving; or each by itself."""
    single = [Offer(name) for name in PICTURES]
    multipart = [Offer(name, multipart=True) for name in PICTURES]
    return single + multipart if one_first else multipart + single


def _pictures(
    request: Request, shots: list[Shot], offers: list[Offer], absent: Sequence[str] = (), *, immutable: bool = False
) -> Response:
    """Frames as pictures.

    Args:
        absent: SOP Instance UIDs of images that should be among them and are not stored.
    """
    rendering = parse_rendered(request.query_params)
    offer = choose(accept_of(request), offers)
    is_one = len({shot.row.sha256 for shot in shots}) == 1
    numbers = [shot.frame for shot in shots] if is_one else []
    content = rendered.content_of(shots)
    etag = etag_of(*content, repr(rendering), str(offer), str(numbers), base_url(request), *absent)
    headers = validators(etag, rendered.changed_s(shots), immutable=immutable)
    if absent:
        headers["Warning"] = f'299 {base_url(request)} "{_named([], absent)}"'
    if unchanged := not_modified(request, headers):
        return unchanged
    if offer.multipart:
        return _multipart(request, shots, rendering, offer.name, headers, absent)
    return picture_answer(request, shots if is_one else shots[:1], rendering, offer.name, headers)


def picture_answer(
    request: Request, shots: list[Shot], rendering: Rendering, media_type: str, headers: dict[str, str]
) -> Response:
    """One picture: of the first frame, or as a GIF of all of them."""
    archive = archive_of(request)
    if media_type == GIF and len(shots) > 1:
        content = rendered.animate(archive, shots, rendering)
    else:
        content = rendered.render_one(archive, shots[0], rendering, media_type)
    return Response(content, headers=headers | {"Content-Type": media_type})


def _multipart(
    request: Request,
    shots: list[Shot],
    rendering: Rendering,
    media_type: str,
    headers: dict[str, str],
    absent: Sequence[str],
) -> Response:
    if len(shots) > rendered.MOST_PICTURES:
        raise NotAcceptable(
            f"more than {rendered.MOST_PICTURES} pictures are too many for one answer; name fewer frames"
        )
    # All are made before the first is sent: what cannot be rendered is said by the status.
    made = Upload()
    sizes: list[tuple[Shot, int]] = []
    missing: list[NoPicture] = []
    for shot, content in rendered.render(archive_of(request), shots, rendering, media_type):
        if anyio.from_thread.run(request.is_disconnected):
            raise UserAgentGone("the user agent went away")
        if isinstance(content, NoPicture):
            missing.append(content)
        else:
            sizes.append((shot, len(content)))
            made.write(content)
    if not sizes:
        raise NotAcceptable(_named(missing))
    if missing or absent:
        headers["Warning"] = f'299 {base_url(request)} "{_named(missing, absent)}"'
    parts = _parts(request, sizes, made, media_type)
    return multipart_answer(media_type, parts, headers, status=206 if missing or absent else 200)


def _parts(request: Request, sizes: list[tuple[Shot, int]], made: Upload, media_type: str) -> Iterator[Part]:
    made.file.seek(0)
    for shot, length in sizes:
        url = f"{url_of(base_url(request), shot.row)}/frames/{shot.frame}/rendered"
        headers = {"Content-Type": media_type, "Content-Length": str(length)}
        # A frame seen with a presentation state has no URL of its own.
        yield headers | ({} if shot.state else {"Content-Location": url}), [made.file.read(length)]


def _named(missing: list[NoPicture], absent: Sequence[str] = ()) -> str:
    """Which frames and images have no picture, and why; for a header."""
    named = [f"{each.shot.row.instance} frame {each.shot.frame} ({each.reason})" for each in missing]
    named += [f"{uid} (not stored)" for uid in absent]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    text = f"{len(named)} frames cannot be rendered: {', '.join(named[:_MOST_NAMED])}{more}"
    return "".join(char if char.isascii() and char.isprintable() and char != '"' else " " for char in text)


def _thumbnail(request: Request, *uids: str, frame: int | None = None) -> Response:
    check_uids(*uids)
    viewport = parse_rendered(request.query_params).viewport
    offer = choose(accept_of(request), [Offer(name) for name in PICTURES])
    subject = thumbnails.find_subject(archive_of(request), *uids, frame=frame)
    headers = validators(etag_of(subject.content, repr(viewport), offer.name), subject.changed_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    content = thumbnails.thumbnail(archive_of(request), subject, viewport, offer.name)
    return Response(content, headers=headers | {"Content-Type": offer.name})
