"""Delete, and undelete: extensions to the Studies Service; PS3.18 names no such transactions."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dicomweb.api.answers import check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM_JSON
from dicomweb.dicom.store_response import store_response
from dicomweb.jobs.states import DELETE, new_job, start
from dicomweb.transactions.delete import count_instances, delete_instances, undelete_instances

router = APIRouter(tags=[STUDIES_SERVICE])


@router.delete("/studies/{study}")
def delete_study(request: Request, study: str) -> Response:
    return _delete(request, study)


@router.delete("/studies/{study}/series/{series}")
def delete_series(request: Request, study: str, series: str) -> Response:
    return _delete(request, study, series)


@router.delete("/studies/{study}/series/{series}/instances/{instance}")
def delete_instance(request: Request, study: str, series: str, instance: str) -> Response:
    return _delete(request, study, series, instance)


@router.post("/studies/{study}/undelete")
def undelete_study(request: Request, study: str) -> Response:
    return _undelete(request, study)


@router.post("/studies/{study}/series/{series}/undelete")
def undelete_series(request: Request, study: str, series: str) -> Response:
    return _undelete(request, study, series)


@router.post("/studies/{study}/series/{series}/instances/{instance}/undelete")
def undelete_instance(request: Request, study: str, series: str, instance: str) -> Response:
    return _undelete(request, study, series, instance)


def _undelete(request: Request, *uids: str) -> Response:
    check_uids(*uids)
    outcomes = undelete_instances(archive_of(request), *uids)
    status, body = store_response(outcomes, uids[0], base_url(request))
    return Response(dumps(body), status, media_type=DICOM_JSON)


def _delete(request: Request, *uids: str) -> Response:
    """204 when it is gone; 202 for what is large: a job deletes it."""
    check_uids(*uids)
    archive = archive_of(request)
    if archive.settings.DeleteJob and count_instances(archive, *uids) > archive.settings.LimitDeletedAtOnce:
        job = start(archive, new_job(DELETE, dict(zip(("Study", "Series"), uids, strict=False)))).job
        depth = request.url.path.rstrip("/").count("/") - 1  # relative to the request, whatever stands before it
        return JSONResponse({"ID": job, "Path": f"{'../' * depth}jobs/{job}"}, 202)
    delete_instances(archive, *uids)
    return Response(status_code=204)
