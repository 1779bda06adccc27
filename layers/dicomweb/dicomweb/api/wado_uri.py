"""Retrieve by query parameters (WADO-URI, PS3.18 §9)."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import accept_of, check_uids, etag_of, not_modified, streamed, validators
from dicomweb.api.app import URI_SERVICE, archive_of
from dicomweb.api.documents import find_documents
from dicomweb.api.rendered import PICTURES, document_answer, picture_answer
from dicomweb.api.retrieve import instance_answer, make_ready
from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import DICOM, Offer, choose
from dicomweb.dicom.presentation_states import is_applied
from dicomweb.dicom.rendering import parse_frame_number, parse_presentation, parse_wado_uri
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import BadRequest, NotFound
from dicomweb.transactions import frames, presented, rendered
from dicomweb.transactions.deidentified import deidentified
from dicomweb.transactions.instances import find_instances
from dicomweb.transactions.rendered import Shot
from dicomweb.transactions.retrieve import AS_STORED

router = APIRouter(tags=[URI_SERVICE])

_RULES = "1"  # by which files are de-identified: with others, what user agents keep is stale
_UIDS = ("studyUID", "seriesUID", "objectUID")


@router.get("")
def retrieve_object(request: Request) -> Response:
    parameters = request.query_params
    if parameters.get("requestType") != "WADO":
        raise BadRequest(f"requestType is {parameters.get('requestType', '')!r}; expected WADO (PS3.18 §9.1.2.1)")
    if not parameters.get("objectUID"):
        raise BadRequest("objectUID is missing; expected a SOP Instance UID")
    is_anonymized = _is_anonymized(parameters)
    rendering, frame = parse_wado_uri(parameters), parse_frame_number(parameters)
    presentation = parse_presentation(parameters)
    check_uids(*filter(None, presentation))
    syntax = parameters.get("transferSyntax", AS_STORED)
    if syntax != AS_STORED and not is_uid(syntax):
        raise BadRequest(f"transferSyntax={syntax[:80]!r}: expected the UID of a transfer syntax")
    row = _find_object(archive_of(request), *(parameters.get(name, "") for name in _UIDS))
    # These two concern files alone.
    is_file = is_anonymized or "transferSyntax" in parameters
    accept = parameters.get("contentType") or (DICOM if is_file else accept_of(request))
    has_pictures = rendered.has_pictures(row) or is_applied(row.attributes)
    documents = {} if has_pictures else find_documents(archive_of(request), row, parameters)
    shown = PICTURES if has_pictures else tuple(documents)
    offer = choose(accept, [Offer(name) for name in ((DICOM,) if is_anonymized else (*shown, DICOM))])
    if offer.name == DICOM:
        return _file(request, row, syntax, is_anonymized=is_anonymized)
    if not has_pictures:
        return document_answer(request, row, documents, offer.name)
    shots = _shots(archive_of(request), row, frame, *presentation)
    if shots[0].state:
        presented.check_rendering(rendering)
    content = rendered.content_of(shots)
    headers = validators(etag_of(*content, repr(rendering), str(frame), offer.name), rendered.changed_s(shots))
    if unchanged := not_modified(request, headers):
        return unchanged
    return picture_answer(request, shots, rendering, offer.name, headers)


def _shots(archive: Archive, row: InstanceRow, frame: int | None, series: str, state: str) -> list[Shot]:
    """The frames that are asked for; those of a presentation state are frames of the first image it is for.

    Raises:
        BadRequest, NotFound.
    """
    if is_applied(row.attributes):
        shots, _ = presented.shots_of_state(archive, presented.read_state(archive, row))
        if not shots:
            raise NotFound(f"no image that presentation state {row.instance} references")
        return [shot for shot in shots if shot.row.instance == shots[0].row.instance]
    frames.check_numbers(row, [frame or 1])
    shots = rendered.bounded(rendered.shots_of(row)) if frame is None else [Shot(row, frame)]
    return presented.with_state(shots, presented.find_state(archive, row.study, series, state)) if state else shots


def _file(request: Request, row: InstanceRow, transfer_syntax: str, *, is_anonymized: bool) -> Response:
    headers = validators(etag_of(row.sha256, transfer_syntax, _RULES if is_anonymized else ""), row.stored_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    ready, _ = make_ready(request, [row], transfer_syntax)
    if not is_anonymized:
        return instance_answer(request, ready[0], headers)
    length, content = deidentified(archive_of(request), ready[0].open())
    return streamed(content, 200, headers | {"Content-Type": DICOM, "Content-Length": str(length)})


def _is_anonymized(parameters: Mapping[str, str]) -> bool:
    """Raises BadRequest for another value than yes (PS3.18 §9.1.2.1.3), or one that concerns a picture."""
    wanted = parameters.get("anonymize")
    if wanted not in (None, "yes", "no"):
        raise BadRequest(f"anonymize={wanted[:80]!r}: expected yes")
    return wanted == "yes"


def _find_object(archive: Archive, study: str, series: str, instance: str) -> InstanceRow:
    """Raises InvalidUID, and NotFound also for an object of another study or series than those that are given."""
    check_uids(instance, *filter(None, (study, series)))
    if not (study and series):
        paths = archive.index.paths_of_uid(instance)
        found = next((path for path in paths if study in ("", path[0]) and series in ("", path[1])), None)
        if found is None:
            raise NotFound(f"no object {instance}")
        study, series = found
    return find_instances(archive, study, series, instance)[0]
