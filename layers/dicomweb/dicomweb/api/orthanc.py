"""Resources by Orthanc's identifiers, by routes of Orthanc's that stand beside the Studies Service (an extension)."""

from datetime import UTC, datetime

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dicomweb.api.app import ORTHANC, archive_of
from dicomweb.api.bodies import text_body
from dicomweb.transactions.orthanc_resources import describe, look_up
from dicomweb.transactions.resources import INSTANCES, PATIENTS, SERIES, STUDIES

router = APIRouter(tags=[ORTHANC])

_LONGEST_UID = 1024  # bytes of a UID or a PatientID


@router.get("/patients/{identifier}")
def describe_patient(request: Request, identifier: str) -> Response:
    return _describe(request, PATIENTS, identifier)


@router.get("/studies/{identifier}")
def describe_study(request: Request, identifier: str) -> Response:
    return _describe(request, STUDIES, identifier)


@router.get("/series/{identifier}")
def describe_series(request: Request, identifier: str) -> Response:
    return _describe(request, SERIES, identifier)


@router.get("/instances/{identifier}")
def describe_instance(request: Request, identifier: str) -> Response:
    return _describe(request, INSTANCES, identifier)


@router.post("/tools/lookup")
async def lookup(request: Request) -> Response:
    """The body is a PatientID or a UID, as text."""
    text = await text_body(request, _LONGEST_UID)
    return JSONResponse(await to_thread.run_sync(look_up, archive_of(request), text.strip()))


def _describe(request: Request, level: str, identifier: str) -> Response:
    described = describe(archive_of(request), level, identifier)
    if "LastUpdate" in described:
        described["LastUpdate"] = f"{datetime.fromtimestamp(described['LastUpdate'], UTC):%Y%m%dT%H%M%S}"
    return JSONResponse(described)
