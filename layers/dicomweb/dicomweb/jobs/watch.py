"""A worker's hold on a batch of a job: it tells how far it is, and is told when to stop."""

import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from dicomweb.archive import Archive
from dicomweb.archive.jobs import LEASE_S, Batch, Job
from dicomweb.errors import RemoteUnavailable

_TELL_S, _WRITE_S = 2.0, 10.0  # how often it is told how far a batch is, and written what became of each instance
_NAP_S = 0.5
_LONGEST_WAIT_S = 120.0  # that a server may ask for

# Seconds before what failed is tried again: while somebody waits, and when nobody does.
HURRIED, PATIENT = (0.25, 1.0), (1.0, 5.0, 20.0, 60.0)

Add = Callable[[int, dict[str, Any]], None]
"""Takes a batch that is planned: how many instances it has, and what it is to do."""


def until_again_s(wait_s: float, error: RemoteUnavailable) -> float:
    """Seconds before another attempt: about as many as given, or those that the server asks for."""
    # Jitter: workers of one job must not come back together.
    return max(wait_s * random.uniform(0.7, 1.3), min(error.wait_s, _LONGEST_WAIT_S))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an instance, or of a whole resource whose instances are not known.

    Attributes:
        reason: why it failed; "" where it did not.
        attempts: how often it was tried.
        identifier: Orthanc's.
        warning: what the server says of an instance that it took, "" for nothing.
    """

    study: str
    series: str = ""
    instance: str = ""
    reason: str = ""
    attempts: int = 1
    identifier: str = ""
    warning: str = ""

    @property
    def path(self) -> tuple[str, str, str]:
        return self.study, self.series, self.instance


class Watch:
    """One worker on one batch, for so many seconds.

    Attributes:
        is_done: whether all of the batch was done when it was left.
        was_stopped: whether a worker was told to stop: something may be left to do.
        is_unwanted: whether nobody is to go on with the batch now.
    """

    def __init__(
        self, archive: Archive, job: Job, batch: Batch, seconds: float, waits: tuple[float, ...], known: list[Outcome]
    ) -> None:
        self._archive = archive
        self._job = job
        self._batch = batch
        self._ends = time.monotonic() + seconds
        self._waits = waits
        self._told = time.monotonic()
        self.is_done = self.was_stopped = self.is_unwanted = self._is_anothers = False
        self._failures = 0
        self._sent, self._retries = batch.sent_bytes, batch.retries
        self._written = time.monotonic()
        self.outcomes = {each.path: each for each in known}

    @property
    def should_stop(self) -> bool:
        """Whether the job is paused or canceled, the time is over, or the batch is another worker's."""
        if time.monotonic() - self._told > _TELL_S:
            self._tell()
            self.is_unwanted = self.is_unwanted or not self._archive.jobs.is_wanted(self._job.job, self._job.attempt)
        self.was_stopped = self.was_stopped or self.is_unwanted or time.monotonic() > self._ends
        return self.was_stopped

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self._ends - time.monotonic()

    @property
    def attempt(self) -> int:
        """The number of the attempt that is made now."""
        return self._failures + 1

    def record(self, *outcomes: Outcome) -> None:
        """What became of instances; something new that succeeds ends a row of failures."""
        if any(not each.reason and each.path not in self.outcomes for each in outcomes):
            self._failures = 0
        self.outcomes |= {each.path: each for each in outcomes}
        _ = self.should_stop

    def moved(self, size: int) -> None:
        """So many bytes went over the network."""
        self._sent += size
        _ = self.should_stop

    def try_again(self, error: RemoteUnavailable) -> bool:
        """Wait before another attempt; False when there is to be none."""
        if self._failures == len(self._waits):
            return False
        wakes = time.monotonic() + until_again_s(self._waits[self._failures], error)
        self._failures += 1
        self._retries += 1
        if wakes > self._ends:  # whoever goes on with the batch tries again
            self.was_stopped = True
        while time.monotonic() < wakes:
            if self.should_stop:
                return False
            time.sleep(min(_NAP_S, max(0.0, wakes - time.monotonic())))
        return True

    def close(self, *, is_done: bool) -> None:
        """Keep what became of the batch, and leave it to whoever goes on with it."""
        self.is_done = is_done
        if not self._is_anothers:
            self._write_outcomes()
            self._tell(lease_s=0)

    def _tell(self, *, lease_s: int = LEASE_S) -> None:
        failed = sum(bool(each.reason) for each in self.outcomes.values())
        batch = replace(
            self._batch,
            succeeded=len(self.outcomes) - failed,
            failed=failed,
            sent_bytes=self._sent,
            retries=self._retries,
            is_done=self.is_done,
        )
        self._told = time.monotonic()
        if self._archive.jobs.keep(self._job.job, batch, lease_s) is None:
            self._is_anothers = self.is_unwanted = True
        elif time.monotonic() - self._written > _WRITE_S:
            self._write_outcomes()

    def _write_outcomes(self) -> None:
        self._written = time.monotonic()
        found = [asdict(each) for each in self.outcomes.values()]
        self._archive.jobs.write_outcomes(self._job.job, self._batch.number, found)
