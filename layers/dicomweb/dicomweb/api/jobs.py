"""Jobs, by the routes and with the fields that Orthanc has, and what became of each instance (an extension)."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from dicomweb.api.answers import streamed
from dicomweb.api.app import ORTHANC, archive_of
from dicomweb.archive import Archive
from dicomweb.archive.jobs import RUNNING
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import JSON
from dicomweb.jobs import control
from dicomweb.jobs.control import View
from dicomweb.jobs.watch import Outcome

router = APIRouter(tags=[ORTHANC])

_MOST = 1000  # jobs in a list


@router.get("/jobs")
def list_jobs(request: Request) -> Response:
    archive = archive_of(request)
    if "expand" not in request.query_params:
        return JSONResponse([job.job for job, _ in zip(archive.jobs.all(), range(_MOST), strict=False)])
    return JSONResponse([_described(view) for view, _ in zip(control.look_at_all(archive), range(_MOST), strict=False)])


@router.get("/jobs/{job}")
def retrieve_job(request: Request, job: str) -> Response:
    return JSONResponse(_described(control.look(archive_of(request), job)))


@router.get("/jobs/{job}/outcomes")
def list_outcomes(request: Request, job: str) -> Response:
    return streamed(_array(control.outcomes(archive_of(request), job)), 200, {"Content-Type": JSON})


@router.post("/jobs/{job}/cancel")
def cancel_job(request: Request, job: str) -> Response:
    return _do(request, job, control.cancel)


@router.post("/jobs/{job}/pause")
def pause_job(request: Request, job: str) -> Response:
    return _do(request, job, control.pause)


@router.post("/jobs/{job}/resume")
def resume_job(request: Request, job: str) -> Response:
    return _do(request, job, control.resume)


@router.post("/jobs/{job}/resubmit")
def resubmit_job(request: Request, job: str) -> Response:
    return _do(request, job, control.resubmit)


@router.delete("/jobs/{job}")
def forget_job(request: Request, job: str) -> Response:
    return _do(request, job, control.remove)


def _do(request: Request, job: str, action: Callable[[Archive, str], None]) -> Response:
    action(archive_of(request), job)
    return JSONResponse({})


def _described(view: View) -> dict[str, Any]:
    job, progress = view.job, view.progress
    described: dict[str, Any] = {
        "ID": job.job,
        "Type": job.type,
        "State": job.state,
        "Progress": progress,
        "Priority": job.priority,
        "Content": job.content,
        "ErrorCode": job.error[0],
        "ErrorDescription": job.error[1],
        "ErrorDetails": job.error[2],
        "CreationTime": _time(job.created_s),
        "Timestamp": _time(time.time()),
        "EffectiveRuntime": round(view.runtime_s, 3),
        "Attempt": job.attempt,
        "InstancesSucceeded": sum(batch.succeeded for batch in view.batches),
        "InstancesFailed": sum(batch.failed for batch in view.batches),
        "NetworkBytes": sum(batch.sent_bytes for batch in view.batches),
        "Retries": sum(batch.retries for batch in view.batches),
    }
    if job.completed_s:
        described["CompletionTime"] = _time(job.completed_s)
    if job.state == RUNNING and 0 < progress < 100:
        described["EstimatedTimeOfArrival"] = _time(time.time() + view.runtime_s * (100 - progress) / progress)
    if job.execution:
        described["Execution"] = job.execution.rpartition(":")[2]
    return described


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S.%f}"


def _array(outcomes: Iterator[Outcome]) -> Iterator[bytes]:
    separator = b"["
    for each in outcomes:
        yield separator + dumps(_outcome(each)).encode()
        separator = b",\n"
    yield b"[]" if separator == b"[" else b"]"


def _outcome(outcome: Outcome) -> dict[str, Any]:
    named = {
        "StudyInstanceUID": outcome.study,
        "SeriesInstanceUID": outcome.series,
        "SOPInstanceUID": outcome.instance,
        "ID": outcome.identifier,
        "Reason": outcome.reason,
        "Warning": outcome.warning,
    }
    status = "Failure" if outcome.reason else "Success"
    return {name: value for name, value in named.items() if value} | {"Status": status, "Attempts": outcome.attempts}
