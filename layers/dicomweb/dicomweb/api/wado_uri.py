"""Retrieve by query parameters (WADO-URI, PS3.18 §9)."""

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import check_uids, etag_of, not_modified, validators
from dicomweb.api.app import URI_SERVICE, archive_of
from dicomweb.api.retrieve import instance_answer, make_ready
from dicomweb.archive import Archive
from dicomweb.dicom.media_types import DICOM, Offer, choose
from dicomweb.errors import BadRequest, NotFound
from dicomweb.transactions.instances import find_instances
from dicomweb.transactions.retrieve import AS_STORED

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
    row = find_instances(archive, study, series, instance)[0]
    # Pictures are not rendered yet: the file itself is what can be had.
    choose(parameters.get("contentType", ""), [Offer(DICOM)])
    wanted = parameters.get("transferSyntax", AS_STORED)
    headers = validators(etag_of(row.sha256, wanted), row.stored_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    ready, _ = make_ready(request, [row], wanted)
    return instance_answer(request, ready[0], headers)


def _locate(archive: Archive, study: str, series: str, instance: str) -> tuple[str, str]:
    """The study and series of an object; those that are given must be its own."""
    if study and series:
        return study, series
    for found in archive.index.paths_of_uid(instance):
        if study in ("", found[0]) and series in ("", found[1]):
            return found
    raise NotFound(f"no object {instance}")
