"""What a person does with a job: look at it, cancel, pause, resume, resubmit and forget it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dicomweb.archive import Archive
from dicomweb.archive.jobs import FAILURE, LEASE_S, NO_ERROR, PAUSED, PENDING, RUNNING, Batch, Job
from dicomweb.errors import JobRefused
from dicomweb.jobs.states import (
    CANCELED_ERROR,
    batches_of,
    ended,
    forget_headers,
    hand_over,
    interrupted,
    outcomes_of,
)
from dicomweb.jobs.watch import Outcome

_QUIET_S = 60  # without a sign of life, after which it is looked whether somebody still works on a job


@dataclass(frozen=True, slots=True)
class View:
    """A job and how far it is."""

    job: Job
    batches: list[Batch]

    @property
    def progress(self) -> int:
        """Percent."""
        if self.job.state == "Success":
            return 100
        total = sum(batch.total for batch in self.batches)
        if total and all(batch.total for batch in self.batches):
            done = sum(batch.succeeded + batch.failed for batch in self.batches)
        else:
            total, done = len(self.batches), sum(batch.is_done for batch in self.batches)
        return min(100, done * 100 // total) if total else 0

    @property
    def runtime_s(self) -> float:
        """Seconds it ran."""
        job = self.job
        return job.runtime_s + (time.time() - job.started_s if job.state == RUNNING and job.started_s else 0)


def look(archive: Archive, job: str) -> View:
    """A job as it is; one that nobody works on any more has failed.

    Raises:
        NotFound: no such job.
    """
    return _view(archive, archive.jobs.find(job))


def look_at_all(archive: Archive) -> Iterator[View]:
    """All jobs, newest first."""
    return (_view(archive, job) for job in archive.jobs.all())


def outcomes(archive: Archive, job: str) -> Iterator[Outcome]:
    """What became of each instance, as far as a job is.

    Raises:
        NotFound: no such job.
    """
    found = archive.jobs.find(job)
    return outcomes_of(archive, found, batches_of(archive, found))


def cancel(archive: Archive, job: str) -> None:
    """End a job; one that has ended stays as it is."""
    archive.jobs.find(job)
    found = archive.jobs.change(
        job, lambda found: None if found.has_ended else replace(ended(found, FAILURE), error=CANCELED_ERROR)
    )
    if found.execution:
        archive.executions.stop(found.execution, "canceled")
    forget_headers(archive, found)


def pause(archive: Archive, job: str) -> None:
    """Stop a job after the instance that is under way; one that does not run stays as it is."""
    archive.jobs.find(job)
    found = archive.jobs.change(job, lambda found: ended(found, PAUSED) if found.is_under_way else None)
    if found.state == PAUSED and found.execution:
        archive.executions.stop(found.execution, "paused")


def resume(archive: Archive, job: str) -> None:
    """Go on with a job that is paused: with what remains.

    Raises:
        JobRefused: it is not paused.
    """
    _start_again(archive, job, PAUSED)


def resubmit(archive: Archive, job: str) -> None:
    """Start a job that failed again: what failed, and what remains.

    Raises:
        JobRefused: it has not failed.
    """
    _start_again(archive, job, FAILURE)


def remove(archive: Archive, job: str) -> None:
    """Forget a job.

    Raises:
        JobRefused: it has not ended.
    """
    if not look(archive, job).job.has_ended:
        raise JobRefused(f"job {job} has not ended; cancel it first")
    archive.jobs.remove(job)


def _start_again(archive: Archive, job: str, state: str) -> None:
    def again(found: Job) -> Job | None:
        if found.state != state:
            raise JobRefused(f"job {job} is {found.state}; expected {state}")
        if found.secret and found.has_ended:
            raise JobRefused(f"job {job} had HttpHeaders of its own, which are not kept; make the call again")
        return replace(found, state=PENDING, attempt=found.attempt + 1, error=NO_ERROR, completed_s=0, execution="")

    look(archive, job)
    found = archive.jobs.change(job, again)
    for batch in batches_of(archive, found):
        if batch.is_done and (batch.failed or batch.succeeded < batch.total):
            archive.jobs.keep(job, replace(batch, is_done=False), 0)
    hand_over(archive, found)


def _view(archive: Archive, job: Job) -> View:
    batches = batches_of(archive, job)
    if job.is_under_way:
        signs = [job.changed_s, *(batch.lease_s - LEASE_S for batch in batches)]
        if time.time() - max(signs) > _QUIET_S and not (job.execution and archive.executions.is_running(job.execution)):
            job = interrupted(archive, job)
    return View(job, batches)
