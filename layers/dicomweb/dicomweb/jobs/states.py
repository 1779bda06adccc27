"""The record of a job from state to state: started, handed over to its state machine, ended.

What plans and does the work is in `running.py`: who only starts jobs or looks at them needs no HTTP client.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.jobs import (
    FAILURE,
    NO_ERROR,
    PAUSED,
    RUNNING,
    SUCCESS,
    Batch,
    Error,
    Job,
    new_job_id,
)
from dicomweb.errors import AddressRefused, DicomWebError, JobRefused, NotFound, RemoteFailed
from dicomweb.jobs.watch import Outcome

MOST_NAMED = 1000  # instances that a job shows
_READ_AHEAD = 8
_MB = 1024 * 1024

STORE, RETRIEVE, DELETE = "DicomWebStowClient", "DicomWebWadoRetrieveClient", "DeleteResource"
# By type: the setting that names its state machine, and what it shows of (instances, megabytes).
_MACHINES = {STORE: "StoreJob", RETRIEVE: "RetrieveJob", DELETE: "DeleteJob"}
_COUNTS = {STORE: ("InstancesCount", "NetworkSizeMB"), RETRIEVE: ("ReceivedInstancesCount", "NetworkUsageMB")}

# Error codes of Orthanc.
_NETWORK, _MISSING, _INTERNAL, _CANCELED = 9, 7, 1, 37
_DESCRIPTIONS = {
    _INTERNAL: "Internal error",
    _MISSING: "Accessing an inexistent item",
    _NETWORK: "Error in the network protocol",
    _CANCELED: "This job was canceled",
}
CANCELED_ERROR: Error = (_CANCELED, _DESCRIPTIONS[_CANCELED], "")


def new_job(
    type_: str, request: dict[str, Any], server: str = "", priority: int = 0, headers: dict[str, str] | None = None
) -> Job:
    """A job that is not begun; it has headers of its own where more is sent than its server's definition says."""
    return Job(new_job_id(), type_, request, server, priority, headers=headers or {})


def start(archive: Archive, job: Job) -> Job:
    """Begin a job that nobody waits for."""
    return hand_over(archive, archive.jobs.create(job))


def hand_over(archive: Archive, job: Job) -> Job:
    """Let the state machine begin or go on with a job."""
    machine = getattr(archive.settings, _MACHINES[job.type])
    # The name of an execution is never used again: later starts of a job have its number behind.
    name = job.job if job.attempt == 1 else f"{job.job}-{job.attempt}"
    try:
        if job.headers:
            secret = archive.secrets.keep("jobs", job.headers)
            archive.jobs.change(job.job, lambda found: replace(found, secret=secret))
        execution = archive.executions.start(machine, name, {"job": job.job, "attempt": job.attempt})
    except DicomWebError as error:
        finish(archive, job.job, job.attempt, error)
        raise
    return archive.jobs.change(job.job, lambda found: replace(found, execution=execution))


def finish(archive: Archive, job: str, attempt: int, error: Exception | None = None) -> Job:
    """The step Finish: say what a job came to.

    Args:
        error: why it could not go on.
    """

    def end(found: Job) -> Job | None:
        if not found.is_under_way or found.attempt != attempt:
            return None
        batches = batches_of(archive, found)
        content = _content(archive, found, batches)
        found = replace(
            found, content=content, error=_error_of(error) if error else _outcome_of(archive, found, batches)
        )
        return ended(found, FAILURE if found.error[0] else SUCCESS)

    ended_job = archive.jobs.change(job, end)
    forget_headers(archive, ended_job)
    return ended_job


def forget_headers(archive: Archive, job: Job) -> None:
    """Remove the headers of a job that has ended: they let somebody in."""
    if job.secret and job.has_ended:
        archive.secrets.forget(job.secret)


def interrupted(archive: Archive, job: Job) -> Job:
    """A job that nobody works on any more: what became of it until then is kept."""
    return finish(archive, job.job, job.attempt, JobRefused("who worked on it ended before it was done; resubmit it"))


def ended(job: Job, state: str) -> Job:
    """A job that is in a state in which it does not run."""
    now = time.time()
    ran = now - job.started_s if job.state == RUNNING and job.started_s else 0
    completed = 0 if state == PAUSED else now
    return replace(job, state=state, completed_s=completed, runtime_s=job.runtime_s + ran, started_s=0)


def batches_of(archive: Archive, job: Job) -> list[Batch]:
    """The batches of a job; none before it is planned."""
    return (
        [batch for batch in archive.jobs.batches(job.job) if batch.number < (job.batches or 0)] if job.batches else []
    )


def outcomes_of(archive: Archive, job: Job, batches: list[Batch]) -> Iterator[Outcome]:
    """What became of the instances of batches, in their order."""
    read = archive.storage.map_ahead(lambda batch: archive.jobs.outcomes(job.job, batch.number), batches, _READ_AHEAD)
    return (Outcome(**each) for of_batch in read for each in of_batch)


def _content(archive: Archive, job: Job, batches: list[Batch]) -> dict[str, Any]:
    if job.type not in _COUNTS or not batches:
        return job.content
    instances, megabytes = _COUNTS[job.type]
    content = job.content | {megabytes: str(sum(batch.sent_bytes for batch in batches) // _MB)}
    if job.type == RETRIEVE:
        stored = (each.identifier for each in outcomes_of(archive, job, batches) if each.identifier)
        content[instances] = str(sum(batch.succeeded for batch in batches))
        content["Instances"] = list(islice(stored, MOST_NAMED))
    return content


def _outcome_of(archive: Archive, job: Job, batches: list[Batch]) -> Error:
    done = [batch.succeeded + batch.failed for batch in batches]
    total = sum(max(batch.total, count) for batch, count in zip(batches, done, strict=True))
    if failed := [batch for batch in batches if batch.failed]:
        first = next((each.reason for each in outcomes_of(archive, job, failed) if each.reason), "")
        return _error(_NETWORK, f"{sum(batch.failed for batch in failed)} of {total} failed; the first: {first}")
    if total > sum(done) or not all(batch.is_done for batch in batches):
        return _error(
            _INTERNAL, f"{total - sum(done)} of {total} were not reached: a step had no more time, or broke off"
        )
    return NO_ERROR


def _error_of(error: Exception) -> Error:
    if isinstance(error, NotFound):
        return _error(_MISSING, str(error))
    if isinstance(error, RemoteFailed | AddressRefused):
        return _error(_NETWORK, str(error))
    if isinstance(error, DicomWebError):
        return _error(_INTERNAL, str(error))
    return _error(_INTERNAL, "an unexpected error; the server's log has it")


def _error(code: int, details: str) -> Error:
    return code, _DESCRIPTIONS[code], details
