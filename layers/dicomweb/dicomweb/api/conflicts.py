"""Conflicts: list, look at, accept, drop (an extension)."""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dicomweb.api.answers import check_uids, streamed
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM, DICOM_JSON
from dicomweb.dicom.store_response import store_response
from dicomweb.errors import BadRequest
from dicomweb.transactions import conflicts

router = APIRouter(tags=[STUDIES_SERVICE])

_MOST = 1000  # in one answer
_CONFLICT = "/conflicts/{study}/{series}/{instance}/{sha256}"


@router.get("/conflicts")
def list_conflicts(request: Request) -> Response:
    """At most `limit`, those behind the one that `after` names."""
    after, limit = request.query_params.get("after", ""), request.query_params.get("limit", str(_MOST))
    if not (limit.isascii() and limit.isdecimal() and 0 < int(limit) <= _MOST):
        raise BadRequest(f"limit={limit[:20]!r}: expected 1 to {_MOST}")
    if after and not re.fullmatch(r"([0-9.]{1,64}/){3}[0-9a-f]{64}", after):
        raise BadRequest(f"after={after[:80]!r}: expected the Name of a conflict")
    found = conflicts.list_conflicts(archive_of(request), after, int(limit))
    return JSONResponse(
        [
            {
                "Name": each.name,
                "StudyInstanceUID": each.study,
                "SeriesInstanceUID": each.series,
                "SOPInstanceUID": each.instance,
                "Sha256": each.sha256,
                "Size": each.size,
                "Received": each.received.isoformat(),
                "Url": f"{base_url(request)}/conflicts/{each.name}",
            }
            for each in found
        ]
    )


@router.get(_CONFLICT)
def retrieve_conflict(request: Request, study: str, series: str, instance: str, sha256: str) -> Response:
    size, content = conflicts.open_conflict(archive_of(request), *_checked(study, series, instance, sha256))
    return streamed(content, 200, {"Content-Length": str(size), "Content-Type": DICOM})


@router.post(_CONFLICT + "/accept")
def accept_conflict(request: Request, study: str, series: str, instance: str, sha256: str) -> Response:
    outcome = conflicts.accept_conflict(archive_of(request), *_checked(study, series, instance, sha256))
    status, body = store_response([outcome], study, base_url(request))
    return Response(dumps(body), status, media_type=DICOM_JSON)


@router.delete(_CONFLICT)
def drop_conflict(request: Request, study: str, series: str, instance: str, sha256: str) -> Response:
    conflicts.drop_conflict(archive_of(request), *_checked(study, series, instance, sha256))
    return Response(status_code=204)


def _checked(study: str, series: str, instance: str, sha256: str) -> tuple[str, str, str, str]:
    check_uids(study, series, instance)
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise BadRequest(f"{sha256[:80]!r} is no SHA-256; expected 64 hex digits")
    return study, series, instance, sha256
