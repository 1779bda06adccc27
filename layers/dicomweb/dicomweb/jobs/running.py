"""How a job runs: planned, its batches worked on, finished. By a state machine, or in the host while somebody waits.

    start ─► execution of the job's state machine: Plan ─► Distributed Map over the batches: Work ─► Finish
    run_here ─► plan, work, finish in this process; what is left when the time is over goes to the state machine

Both run the same three functions. Each may be run again over what it has done: a batch knows what became of its
instances, and only the rest is worked on.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.jobs import PENDING, RUNNING, Batch, Job
from dicomweb.errors import BatchTaken, DicomWebError, RemoteUnavailable
from dicomweb.jobs import delete, retrieve_client, store_client
from dicomweb.jobs.states import DELETE, RETRIEVE, STORE, batches_of, finish, hand_over
from dicomweb.jobs.watch import HURRIED, PATIENT, Add, Outcome, Watch, until_again_s

log = logging.getLogger(__name__)

_FOREVER_S = 10.0**9


@dataclass(frozen=True, slots=True)
class _Doing:
    """What a job of some type does: it is cut into batches, which are worked on."""

    plan: Callable[[Archive, Job, Add], dict[str, Any]]
    work: Callable[[Archive, Job, dict[str, Any], Watch], None]


_DOING = {
    STORE: _Doing(store_client.plan, store_client.work),
    RETRIEVE: _Doing(retrieve_client.plan, retrieve_client.work),
    DELETE: _Doing(delete.plan, delete.work),
}


def run_here(archive: Archive, job: Job, seconds: float | None) -> Job:
    """Run a job while somebody waits for it; after so many seconds a state machine goes on with it.

    Args:
        seconds: None for as long as it takes.
    """
    ends = time.monotonic() + (seconds or _FOREVER_S)
    job = archive.jobs.create(replace(job, state=RUNNING, started_s=time.time()))
    try:
        job, planned = _plan(archive, job, ends)
        for batch, work_ in planned:
            watch = _work(archive, job, batch, work_, ends - time.monotonic(), HURRIED, [])
            if watch.is_unwanted:
                return archive.jobs.find(job.job)
            if not watch.is_done:
                return hand_over(archive, job)
    except Exception as error:
        if not isinstance(error, DicomWebError):
            log.exception("job %s failed", job.job)
        return finish(archive, job.job, job.attempt, error)
    return finish(archive, job.job, job.attempt)


# The steps


def plan(archive: Archive, job: str, attempt: int) -> dict[str, Any]:
    """The step Plan: cut a job into batches, unless that is done; what the step after it takes."""
    found = _with_headers(archive, _begin(archive, job, attempt))
    if found.batches is None and found.state == RUNNING:
        found, _ = _plan(archive, found, time.monotonic() + _FOREVER_S)
    left = [batch.number for batch in batches_of(archive, found) if not batch.is_done]
    manifest = archive.jobs.write_manifest(job, left)
    return {"job": job, "attempt": attempt, "bucket": archive.settings.Bucket, "manifest": manifest}


def work(archive: Archive, job: str, attempt: int, number: int, seconds: float) -> bool:
    """The step Work: work on a batch for so many seconds; whether it is done, or not to be gone on with.

    Raises:
        BatchTaken: another worker has it; later.
    """
    found = archive.jobs.find(job)
    if (found.state, found.attempt) != (RUNNING, attempt):
        return True
    batch = archive.jobs.claim(job, number, str(attempt))
    if batch is None:
        raise BatchTaken(f"batch {number} of job {job} is another worker's")
    if batch.is_done:
        return True
    # What failed before is tried again: this is another start of the job.
    known = [outcome for each in archive.jobs.outcomes(job, number) if not (outcome := Outcome(**each)).reason]
    found = _with_headers(archive, found)
    watch = _work(archive, found, batch, archive.jobs.work_of(job, number), seconds, PATIENT, known)
    # A run that brings nothing about is the last one: what one run cannot do, ten cannot.
    return watch.is_done or watch.is_unwanted or len(watch.outcomes) == len(known)


def _begin(archive: Archive, job: str, attempt: int) -> Job:
    def begin(found: Job) -> Job | None:
        if found.state != PENDING or found.attempt != attempt:
            return None
        return replace(found, state=RUNNING, started_s=time.time())

    return archive.jobs.change(job, begin)


def _plan(archive: Archive, job: Job, ends: float) -> tuple[Job, list[tuple[Batch, dict[str, Any]]]]:
    planned: list[tuple[Batch, dict[str, Any]]] = []
    retries = 0

    def add(total: int, work_: dict[str, Any]) -> None:
        # The first batch has on it what the plan itself was tried again.
        batch = archive.jobs.plan(job.job, len(planned), total, work_, 0 if planned else retries)
        planned.append((batch, work_))

    while True:
        try:
            content = _DOING[job.type].plan(archive, job, add)
            break
        except RemoteUnavailable as error:
            if retries == len(HURRIED):
                raise
            wait_s = until_again_s(HURRIED[retries], error)
            if time.monotonic() + wait_s > ends:
                raise
            planned.clear()
            retries += 1
            time.sleep(wait_s)
    kept = archive.jobs.change(job.job, lambda found: replace(found, batches=len(planned), content=content))
    return replace(kept, headers=job.headers), planned


def _with_headers(archive: Archive, job: Job) -> Job:
    return replace(job, headers=archive.secrets.read(job.secret)) if job.secret and not job.has_ended else job


def _work(
    archive: Archive,
    job: Job,
    batch: Batch,
    work_: dict[str, Any],
    seconds: float,
    waits: tuple[float, ...],
    known: list[Outcome],
) -> Watch:
    watch = Watch(archive, job, replace(batch, owner=str(job.attempt)), seconds, waits, known)
    is_done = False
    try:
        _DOING[job.type].work(archive, job, work_, watch)
        is_done = not watch.was_stopped
    finally:
        watch.close(is_done=is_done)
    return watch
