"""Objects dropped into the bucket under incoming/: stored, and removed, or moved to failed/ with the reasons.

Told of an object twice, the second time finds it gone. What it held is stored once: a crash in between stores the same
bytes again, which changes nothing.
"""

import json
import logging
from dataclasses import asdict
from typing import Any

from dicomweb.archive import Archive, keys
from dicomweb.dicom.store_response import OUT_OF_RESOURCES, PROCESSING_FAILURE, Failed, Outcome, Stored
from dicomweb.errors import ArchiveBusy, InvalidBody, NotFound
from dicomweb.transactions.received import parts_of
from dicomweb.transactions.store import store_instances

log = logging.getLogger(__name__)

_MOST_NAMED = 1000  # failures in the reasons


def store_incoming(archive: Archive, key: str, version: str = "") -> list[Outcome]:
    """Store what an object holds: a DICOM file, a multipart/related body, or a ZIP file.

    Args:
        version: of the object, "" for the one that is there.
    Returns:
        What became of each file in it; nothing when the object is not there any more.
    Raises:
        ArchiveBusy: not all could be stored now; the object is still there.
    """
    if not key.startswith(keys.INCOMING):
        raise NotFound(f"{key} is not under {keys.INCOMING}")
    try:
        received = archive.storage.incoming.open(key, version)
    except NotFound:
        log.info("an object under %s is gone: it was stored before", keys.INCOMING)
        return []
    names: list[str] = []
    try:
        outcomes = store_instances(archive, parts_of(received.content_type, received.chunks, names), "") or [_nothing()]
    except InvalidBody as error:
        outcomes = [Failed(1, PROCESSING_FAILURE, str(error))]
    if any(isinstance(each, Failed) and each.reason == OUT_OF_RESOURCES for each in outcomes):
        raise ArchiveBusy("not all of the object could be stored; try again")
    if upload := keys.upload_of(key):
        write_result(archive, upload, outcomes)
    if failed := [each for each in outcomes if isinstance(each, Failed)]:
        _set_aside(archive, key, version, outcomes, failed, names)
    archive.storage.incoming.remove(key, version)
    return outcomes


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


def _nothing() -> Failed:
    return Failed(1, PROCESSING_FAILURE, "there is no file in it")


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
