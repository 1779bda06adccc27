"""Housekeeping: work over the whole archive, study by study, in runs that end in time and go on where they ended.

A run starts at a place in the order of studies and says at which one it stopped; studies that are stored meanwhile are
up to date already. Every task may be run again over what it has done.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dicomweb.archive import Archive, connect, keys
from dicomweb.archive.keys import Bounds
from dicomweb.dicom.attributes import Kept
from dicomweb.errors import BadRequest
from dicomweb.settings import settings
from dicomweb.transactions.compaction import compact_study
from dicomweb.transactions.reindex import reindex_study


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to.

    Attributes:
        next: where the next run starts; "" when all is done.
        studies: how many it looked at.
        changed: in how many of them there was something to do.
    """

    next: str
    studies: int
    changed: int


def housekeep(archive: Archive, task: str, start: str, seconds: float, days: int = 0) -> Run:
    """Do a task for studies, from one place on, for so many seconds.

    Args:
        start: a Run's next; "" for the newest study.
        days: only studies whose date is not longer ago; 0 for all, also those without a date.
    Raises:
        BadRequest: no such task.
    """
    if task not in TASKS:
        raise BadRequest(f"no task {task!r}; expected one of {', '.join(TASKS)}")
    deadline = time.monotonic() + seconds
    within = Bounds(_oldest(days) if days else keys.EVERYTHING.low, start or keys.EVERYTHING.high)
    count = changed = 0
    for study, kept in archive.index.studies_by_date(within):
        if count and time.monotonic() > deadline:
            return Run(keys.at_of(study, kept.attributes), count, changed)
        count += 1
        changed += TASKS[task](archive, study, kept)
    return Run("", count, changed)


def _oldest(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y%m%d}"


def step_handler(seconds: float) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The function of a step; it takes {"task": …, "days": …}, and what the step before gave back."""
    archive = connect(settings())

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        run = housekeep(archive, event["task"], event.get("next", ""), seconds, event.get("days", 0))
        return {
            "task": event["task"],
            "days": event.get("days", 0),
            "next": run.next,
            "done": not run.next,
            "studies": event.get("studies", 0) + run.studies,
            "changed": event.get("changed", 0) + run.changed,
        }

    return handler


TASKS: dict[str, Callable[[Archive, str, Kept], bool]] = {"reindex": reindex_study, "compact": compact_study}
