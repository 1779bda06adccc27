"""Delete: an extension to the Studies Service that every server has; PS3.18 names no such transaction."""

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.transactions.delete import delete_instances

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


def _delete(request: Request, *uids: str) -> Response:
    check_uids(*uids)
    delete_instances(archive_of(request), *uids)
    return Response(status_code=204)
