"""What became of each file, and the summary of a store."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.sources import Identified, Skipped
from dicomweb.dicom.readable_values import printable
from dicomweb.dicom.store_response import in_words

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """Attributes: warning: what the server has to say of it, "" for nothing."""

    file: Identified
    warning: str = ""


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """The server has an instance of this UID; what it holds is not compared."""

    file: Identified


@dataclass(frozen=True, slots=True)
class Failed:
    """Attributes: reason: the server's Failure Reason, None where it gave none."""

    file: Identified
    reason: int | None
    comment: str


Outcome = Stored | AlreadyThere | Failed | Skipped


def failed(file: Identified, comment: str, reason: int | None = None) -> Failed:
    return Failed(file, reason, printable(comment))


@dataclass
class Summary:
    """Counts of outcomes; threads may note them together."""

    url: str
    stored: int = 0
    already_there: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failures: list[Failed] = field(default_factory=list)
    warnings: list[Stored] = field(default_factory=list)
    stored_bytes: int = 0
    is_interrupted: bool = False
    _started: float = field(default_factory=time.monotonic)
    _seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, outcome: Outcome) -> None:
        with self._lock:
            self._seconds = time.monotonic() - self._started
            match outcome:
                case Stored():
                    self.stored += 1
                    self.stored_bytes += outcome.file.source.size
                    if outcome.warning:
                        self.warnings.append(outcome)
                case AlreadyThere():
                    self.already_there += 1
                case Skipped():
                    self.skipped[outcome.why] += 1
                case Failed():
                    self.failures.append(outcome)

    @property
    def megabytes_per_second(self) -> float:
        return self.stored_bytes / MB / self._seconds if self._seconds else 0.0

    def lines(self) -> Iterator[str]:
        """The summary for people."""
        for warned in self.warnings:
            yield f"stored with a warning: {printable(warned.file.source.name)}"
            yield f"  SOP Instance UID {warned.file.instance or 'not known'}: {warned.warning}"
        for each in self.failures:
            yield f"failed: {printable(each.file.source.name)}"
            yield f"  SOP Instance UID {each.file.instance or 'not known'}: {explained(each.reason, each.comment)}"
        why = f" ({', '.join(f'{count} {why}' for why, count in sorted(self.skipped.items()))})" if self.skipped else ""
        yield (
            f"{self.stored} stored, {self.already_there} already there, {len(self.failures)} failed, "
            f"{self.skipped.total()} skipped{why}"
        )
        yield f"{self.stored_bytes / MB:.1f} MB in {self._seconds:.1f} s, {self.megabytes_per_second:.1f} MB/s"
        if self.is_interrupted:
            yield "interrupted: the same command goes on with what is not stored yet"

    def document(self) -> dict[str, Any]:
        """The summary as JSON."""
        return {
            "url": self.url,
            "stored": self.stored,
            "alreadyThere": self.already_there,
            "failed": len(self.failures),
            "skipped": dict(self.skipped),
            "interrupted": self.is_interrupted,
            "bytes": self.stored_bytes,
            "seconds": round(self._seconds, 3),
            "megabytesPerSecond": round(self.megabytes_per_second, 3),
            "failures": [
                {
                    "path": each.file.source.name,
                    "sopInstanceUID": each.file.instance or None,
                    "reason": None if each.reason is None else f"{each.reason:04X}H",
                    "comment": each.comment,
                }
                for each in self.failures
            ],
            "warnings": [
                {
                    "path": each.file.source.name,
                    "sopInstanceUID": each.file.instance or None,
                    "warning": each.warning,
                }
                for each in self.warnings
            ],
        }


def explained(reason: int | None, comment: str) -> str:
    """A Failure or Warning Reason and what the server says of it."""
    if reason is None:
        return comment
    return f"{in_words(reason)}: {comment}" if comment else in_words(reason)
