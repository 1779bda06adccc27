"""Retrieve by query parameters (WADO-URI, PS3.18 §9)."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dicomweb.api.answers import check_uids, etag_of
from dicomweb.api.app import URI_SERVICE, archive_of
from dicomweb.archive import Archive
from dicomweb.dicom.media_types import DICOM, Offer, choose
from dicomweb.errors import BadRequest, NotAcceptable, NotFound
from dicomweb.transactions import retrieve

router = APIRouter(tags=[URI_SERVICE])


@router.get("")
def retrieve_object(request: Request) -> Response:
    parameters = request.query_params
    if parameters.get("requestType") != "WADO":
        raise BadRequest(f"requestType is {parameters.get('requestType', '')!r}; expected WADO (PS3.18 §9.1.2.1)")
    if not parameters.get("objectUID"):
        raise BadRequest("objectUID is missing; expected a SOP Instance UID")
    study, series, instance = (parameters.get(name, "") for name in ("studyUID", "seriesUID", "objectUID"))
    check_uids(instance, *filter(None, (study, series)))
    archive = archive_of(request)
    study, series = _locate(archive, study, series, instance)
    row = retrieve.find_instances(archive, study, series, instance)[0]
    # Pictures are not rendered yet: the file itself is what can be had.
    choose(parameters.get("contentType", ""), [Offer(DICOM)])
    if (wanted := parameters.get("transferSyntax", row.transfer_syntax)) != row.transfer_syntax:
        raise NotAcceptable(f"cannot answer in transfer syntax {wanted}; stored as {row.transfer_syntax}")
    _, body = next(retrieve.open_instances(archive, [row]))
    headers = {"ETag": etag_of(row.sha256), "Content-Length": str(row.size)}
    return StreamingResponse(body, media_type=DICOM, headers=headers)


def _locate(archive: Archive, study: str, series: str, instance: str) -> tuple[str, str]:
    """The study and series of an object; those that are given must be its own."""
    if study and series:
        return study, series
    for found in archive.index.paths_of_uid(instance):
        if study in ("", found[0]) and series in ("", found[1]):
            return found
    raise NotFound(f"no object {instance}")
