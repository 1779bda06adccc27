"""Progress bars on the standard error; nothing where that is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

STDERR = Console(stderr=True, highlight=False)


class Bar:
    """One bar; threads may move it."""

    def __init__(self, progress: Progress, text: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total)

    def advance(self, amount: int) -> None:
        self._progress.advance(self._task, amount)

    def omit(self, amount: int) -> None:
        """Take away from the total: what needs no work would make the rest look faster than it is."""
        task = self._progress.tasks[self._task]
        self._progress.update(self._task, total=max((task.total or 0) - amount, 0))

    def say(self, text: str) -> None:
        self._progress.update(self._task, description=text)


@contextmanager
def bytes_bar(text: str, total: int) -> Iterator[Bar]:
    """Bytes, their rate, and when they will be done."""
    with _bar(text, total, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as bar:
        yield bar


@contextmanager
def count_bar(text: str, total: int) -> Iterator[Bar]:
    """Instances, and when they will be done."""
    with _bar(text, total, MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        yield bar


@contextmanager
def _bar(text: str, total: int, *columns: ProgressColumn) -> Iterator[Bar]:
    shown = (TextColumn("{task.description}", markup=False), BarColumn(), *columns)
    with Progress(*shown, console=STDERR, transient=True, disable=not STDERR.is_terminal) as progress:
        yield Bar(progress, text, total)
