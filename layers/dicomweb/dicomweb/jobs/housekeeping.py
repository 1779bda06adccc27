"""Housekeeping: work over the whole archive, study by study, in runs that end in time and go on where they ended.

A run starts at a place in the order of studies and says at which one it stopped; studies that are stored meanwhile are
up to date already. Every task may be run again over what it has done.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dicomweb.archive import Archive, connect, keys
from dicomweb.archive.keys import Bounds
from dicomweb.errors import BadRequest
from dicomweb.settings import settings
from dicomweb.transactions.compaction import compact_study
from dicomweb.transactions.reconcile import reconcile_study
from dicomweb.transactions.reindex import reindex_study

log = logging.getLogger(__name__)

_OBJECTS, _ROWS = "objects", "rows"

Walk = Callable[[Archive, str, int], Iterator[tuple[str, str]]]
"""Studies from a place on, each with its own place: (archive, place or "", days) → (place, study)."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is done for each study that a walk comes by; what it tells is what there was to do."""

    walk: Walk
    work: Callable[[Archive, str], list[str]]


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to.

    Attributes:
        next: where the next run starts; "" when all is done.
        studies: how many it looked at.
        changed: in how many of them there was something to do.
        told: what that was, as far as a task says it.
    """

    next: str
    studies: int
    changed: int
    told: list[str]


def housekeep(archive: Archive, task: str, start: str, seconds: float, days: int = 0) -> Run:
    """Do a task for studies, from one place on, for so many seconds.

    Args:
        start: a Run's next; "" for the first study.
        days: where a task goes by date, only studies that are not older; 0 for all, also those without a date.
    Raises:
        BadRequest: no such task.
    """
    if task not in TASKS:
        raise BadRequest(f"no task {task!r}; expected one of {', '.join(TASKS)}")
    deadline = time.monotonic() + seconds
    count = changed = 0
    told: list[str] = []
    for place, study in TASKS[task].walk(archive, start, days):
        if count and time.monotonic() > deadline:
            return Run(place, count, changed, told)
        count += 1
        of_study = TASKS[task].work(archive, study)
        changed += bool(of_study)
        told += filter(None, of_study)
    return Run("", count, changed, told)


def _by_date(archive: Archive, start: str, days: int) -> Iterator[tuple[str, str]]:
    """The studies of the index, newest first."""
    within = Bounds(_oldest(days) if days else keys.EVERYTHING.low, start or keys.EVERYTHING.high)
    for study, kept in archive.index.studies_by_date(within):
        yield keys.at_of(study, kept[0].attributes), study


def _by_object(archive: Archive, start: str, _days: int) -> Iterator[tuple[str, str]]:
    """The studies that have objects, whether the index knows them or not, in the order of their keys.

    The place of a study is the one before it: a list begins behind a key.
    """
    before = start
    for study in archive.storage.folders(keys.STUDIES, start):
        yield before, study
        before = study


def _by_object_then_date(archive: Archive, start: str, days: int) -> Iterator[tuple[str, str]]:
    """The same, then those of the index that have none."""
    phase, _, place = start.partition(":")
    if phase != _ROWS:
        yield from ((f"{_OBJECTS}:{at}", study) for at, study in _by_object(archive, place, days))
        place = ""
    for at, study in _by_date(archive, place, days):
        if next(archive.storage.objects(keys.instance_folder(study)), None) is None:
            yield f"{_ROWS}:{at}", study


def _oldest(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y%m%d}"


def step_handler(seconds: float) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The function of a step; it takes {"task": …, "days": …}, and what the step before gave back."""
    archive = connect(settings())

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        run = housekeep(archive, event["task"], event.get("next", ""), seconds, event.get("days", 0))
        for line in run.told:
            log.info("%s: %s", event["task"], line)
        return {
            "task": event["task"],
            "days": event.get("days", 0),
            "next": run.next,
            "done": not run.next,
            "studies": event.get("studies", 0) + run.studies,
            "changed": event.get("changed", 0) + run.changed,
        }

    return handler


def _reconcile(archive: Archive, study: str) -> list[str]:
    return [f"{each.what}: {each.where}: {each.outcome}" for each in reconcile_study(archive, study)]


def _silently(work: Callable[[Archive, str], bool]) -> Callable[[Archive, str], list[str]]:
    return lambda archive, study: [""] if work(archive, study) else []


TASKS: dict[str, Task] = {
    "reindex": Task(_by_date, _silently(reindex_study)),
    "compact": Task(_by_date, _silently(compact_study)),
    "reconcile": Task(_by_object_then_date, _reconcile),
    # An index that is lost is made of the objects again: all of them are without a row.
    "rebuild-index": Task(_by_object, _reconcile),
}
