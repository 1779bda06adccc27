"""Store folders and ZIP files: find, identify, leave out what is there, send side by side."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cli.errors import CommandFault, Refused, Stopped
from cli.outcomes import AlreadyThere, Summary, failed
from cli.progress import Bar
from cli.sending import Limits, Sender, batches
from cli.service import StudiesService
from cli.sources import NO_DICOM, Identified, Source, Unreadable, identify, walk
from dicomweb.dicom.json_model import text_of
from dicomweb.dicom.part10 import INSTANCE

_IDENTIFIED_AHEAD = 256  # files: their studies are asked about together
_MOST_STUDIES = 256  # whose instances are kept in mind
_NOT_FOUND = 404


@dataclass(frozen=True)
class Plan:
    """What is to be stored, and how.

    Attributes:
        asks: whether the server is asked for what it has already.
        strict: files that are no DICOM are failures.
    """

    paths: list[Path]
    limits: Limits
    parallel: int = 4
    asks: bool = True
    strict: bool = False


def total_bytes(paths: Iterable[Path]) -> int:
    """What a progress bar ends at."""
    return sum(source.size for source in walk(paths, lambda *_: None))


def store(service: StudiesService, plan: Plan, summary: Summary, bar: Bar) -> None:
    """Store all of it; every file gets an outcome in the summary, unless the run ends before.

    Raises:
        Unreachable, Refused
        KeyboardInterrupt: after what was under way has ended.
    """
    stop = service.retries.stop
    sender = Sender(service, plan.limits, bar)

    def send(batch: list[Identified]) -> None:
        try:
            for outcome in sender.send(batch):
                summary.note(outcome)
                bar.advance(outcome.file.source.size)
        except Stopped:
            pass  # the run has ended already, and says so
        except CommandFault:
            stop.set()
            raise

    with ThreadPoolExecutor(plan.parallel) as pool:
        pending: set[Future[None]] = set()
        try:
            for batch in batches(_to_send(service, plan, summary, bar), plan.limits):
                pending.add(pool.submit(send, batch))
                while len(pending) > plan.parallel:
                    pending = _finished_some(pending)
            while pending:
                pending = _finished_some(pending)
        except Stopped:  # a search was given up because a request failed for good: that one is the reason
            while pending:
                pending = _finished_some(pending)
        except BaseException:
            stop.set()
            for future in pending:
                future.cancel()
            raise


def _finished_some(pending: set[Future[None]]) -> set[Future[None]]:
    done, pending = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return pending


def _to_send(service: StudiesService, plan: Plan, summary: Summary, bar: Bar) -> Iterator[Identified]:
    """The DICOM files that the server has not; the others get their outcome here."""
    there = _Archive(service)
    sources = walk(plan.paths, lambda path, fault: summary.note(failed(Identified(Source(path, 0)), fault)))
    while some := list(islice(sources, _IDENTIFIED_AHEAD)):
        found = list(filter(None, (_identified(source, plan, summary, bar) for source in some)))
        if plan.asks:
            there.ask({file.study for file in found if file.study}, plan.parallel)
        for file in found:
            if plan.asks and there.has(file):
                summary.note(AlreadyThere(file))
                bar.omit(file.source.size)
            else:
                yield file


def _identified(source: Source, plan: Plan, summary: Summary, bar: Bar) -> Identified | None:
    try:
        found = identify(source)
    except Unreadable as error:
        summary.note(failed(Identified(source), str(error)))
    else:
        if isinstance(found, Identified):
            return found
        is_failure = plan.strict and found.why == NO_DICOM
        summary.note(failed(Identified(source), found.why) if is_failure else found)
    bar.omit(source.size)
    return None


class _Archive:
    """What the server has, by study; of the studies that were asked about last."""

    def __init__(self, service: StudiesService) -> None:
        self._service = service
        self._instances: dict[str, set[str]] = {}

    def ask(self, studies: set[str], parallel: int) -> None:
        """Raises Unreachable, Refused."""
        new = sorted(studies - self._instances.keys())
        if not new:
            return
        kept = {study: self._instances[study] for study in list(self._instances)[-_MOST_STUDIES:]}
        needed = {study: self._instances[study] for study in studies & self._instances.keys()}
        with ThreadPoolExecutor(parallel) as pool:
            self._instances = kept | needed | dict(zip(new, pool.map(self._instances_of, new), strict=True))

    def has(self, file: Identified) -> bool:
        return bool(file.instance) and file.instance in self._instances.get(file.study, ())

    def _instances_of(self, study: str) -> set[str]:
        pages = self._service.search(f"studies/{study}/instances", [("includefield", "SOPInstanceUID")])
        try:
            return {text_of(row, INSTANCE) for page in pages for row in page.rows}
        except Refused as error:
            if error.status == _NOT_FOUND:  # how some servers say that there is no such study
                return set()
            raise Refused(f"{error}; --no-skip stores without asking what is there", error.status) from error
