"""Objects dropped into the bucket under incoming/: stored, and removed, or moved to failed/ with the reasons.

Told of an object twice, the second time finds it gone. What it held is stored once: a crash in between stores the same
bytes again, which changes nothing.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from dicomweb.archive import Archive, keys
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.store_response import OUT_OF_RESOURCES, Failed, Outcome, Stored
from dicomweb.errors import ArchiveBusy, InvalidBody, NotFound
from dicomweb.transactions.received import parts_of
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload

log = logging.getLogger(__name__)

_MOST_NAMED = 1000  # failures in the reasons


class Dropped(NamedTuple):
    """An object under incoming/; its version is "" for the one that is there."""

    key: str
    version: str = ""


def store_incoming(archive: Archive, dropped: Iterable[Dropped]) -> dict[Dropped, list[Outcome] | Exception]:
    """Store what objects hold: DICOM files, multipart/related bodies, ZIP files.

    They are stored as one request is, so that they share what is written for each request and series.

    Returns:
        What became of each file in an object, nothing when the object is not there any more; or why not all of it
        could be stored now: then the object is still there.
    """
    objects = [_Object(each) for each in dict.fromkeys(dropped)]
    outcomes = iter(store_instances(archive, (part for each in objects for part in each.parts(archive)), ""))
    # Each part has one outcome, in order.
    return {each.dropped: each.finish(archive, [next(outcomes) for _ in range(each.part_count)]) for each in objects}


@dataclass(slots=True)
class _Object:
    """One of the objects of a store.

    Attributes:
        names: of the files in it, where it is a ZIP file.
        fault: why not all of it was read; it is tried again.
    """

    dropped: Dropped
    part_count: int = 0
    names: list[str] = field(default_factory=list)
    is_there: bool = True
    fault: Exception | None = None

    def parts(self, archive: Archive) -> Iterator[Part[Upload]]:
        """The files in it; what is wrong with one object is its own matter."""
        try:
            for part in self._read(archive):
                self.part_count += 1
                yield part
        except Exception as error:
            log.exception("an object under %s could not be read", keys.INCOMING)
            self.fault = error

    def _read(self, archive: Archive) -> Iterator[Part[Upload]]:
        key, version = self.dropped
        if not key.startswith(keys.INCOMING):
            raise NotFound(f"{key} is not under {keys.INCOMING}")
        try:
            received = archive.storage.incoming.open(key, version)
        except NotFound:
            log.info("an object under %s is gone: it was stored before", keys.INCOMING)
            self.is_there = False
            return
        try:
            yield from parts_of(received.content_type, received.chunks, self.names)
        except InvalidBody as error:
            yield Part({}, Upload(), str(error))
            return
        if not self.part_count:
            yield Part({}, Upload(), "there is no file in it")

    def finish(self, archive: Archive, outcomes: list[Outcome]) -> list[Outcome] | Exception:
        """Tell what became of it, and remove it, unless it is to be tried again."""
        if self.fault or not self.is_there:
            return self.fault or []
        outcomes = [
            replace(each, part=number) if isinstance(each, Failed) else each for number, each in enumerate(outcomes, 1)
        ]
        if any(isinstance(each, Failed) and each.reason == OUT_OF_RESOURCES for each in outcomes):
            return ArchiveBusy("not all of the object could be stored; try again")
        try:
            self._finish(archive, outcomes)
        except Exception as error:
            log.exception("what became of an object under %s could not be told", keys.INCOMING)
            return error
        return outcomes

    def _finish(self, archive: Archive, outcomes: list[Outcome]) -> None:
        key, version = self.dropped
        if upload := keys.upload_of(key):
            write_result(archive, upload, outcomes)
        if failed := [each for each in outcomes if isinstance(each, Failed)]:
            _set_aside(archive, key, version, outcomes, failed, self.names)
        archive.storage.incoming.remove(key, version)


def write_result(archive: Archive, upload: str, outcomes: list[Outcome]) -> None:
    """Keep what became of an upload."""
    text = json.dumps([{"Stored": isinstance(each, Stored)} | asdict(each) for each in outcomes])
    archive.storage.write(keys.result_object(upload), text.encode(), "application/json")


def read_result(archive: Archive, upload: str) -> list[Outcome]:
    """What became of an upload.

    Raises:
        NotFound: it is not stored yet.
    """
    found: list[dict[str, Any]] = json.loads(archive.storage.read_bytes(keys.result_object(upload)))
    return [Stored(**each) if each.pop("Stored") else Failed(**each) for each in found]


def _set_aside(
    archive: Archive, key: str, version: str, outcomes: list[Outcome], failed: list[Failed], names: list[str]
) -> None:
    target = f"{keys.FAILED}{key.removeprefix(keys.INCOMING)}"
    archive.storage.incoming.copy(key, version, target)
    reasons = {
        "Object": target,
        "Stored": len(outcomes) - len(failed),
        "Failed": len(failed),
        "Failures": [
            {
                "Name": names[each.part - 1] if each.part <= len(names) else "",
                "SOPInstanceUID": each.instance,
                "FailureReason": f"{each.reason:04X}",
                "Comment": each.comment,
            }
            for each in failed[:_MOST_NAMED]
        ],
    }
    archive.storage.write(f"{target}.json", json.dumps(reasons, ensure_ascii=False).encode(), "application/json")
    log.warning("%d of %d files of an object were not stored: see %s", len(failed), len(outcomes), target)
