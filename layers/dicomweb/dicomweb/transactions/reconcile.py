"""What a crash left, found and mended: objects and rows without each other, counts that are none.

An object without a row is stored (the bytes are there: it is only indexed); where the index leads to other content, it
was replaced, and goes. A row without an object gets it back where its version is kept, and goes where it is not. What
younger writers may be at is left alone.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.store_response import Failed, Outcome
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload

log = logging.getLogger(__name__)

OBJECT_WITHOUT_ROW, ROW_WITHOUT_OBJECT = "object without row", "row without object"
REPLACED, WRONG_COUNTS, UNUSED = "replaced content", "wrong counts", "unused metadata"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was not as it should be.

    Attributes:
        what: one of the names above.
        where: a key of S3, or a study.
        outcome: what was done about it.
    """

    what: str
    where: str
    outcome: str


def reconcile_study(archive: Archive, study: str) -> list[Finding]:
    """Compare the rows of a study with its objects, and mend what differs."""
    rows = {row.object_key: row for row in _rows(archive, study)}
    found = list(archive.storage.objects(keys.instance_folder(study)))
    there = {each.key for each in found}
    alone = [each.key for each in found if each.key not in rows and not each.is_in_flight]
    lost = [row for key, row in rows.items() if key not in there]
    findings = [*_objects_without_row(archive, rows, alone), *_rows_without_object(archive, lost)]
    if archive.index.recount(study):
        findings.append(Finding(WRONG_COUNTS, study, "counted anew"))
    # What was mended has other metadata than before.
    left = _rows(archive, study) if findings else rows.values()
    return findings + list(_unused_metadata(archive, study, left))


def store_objects(archive: Archive, objects: list[str]) -> list[Outcome]:
    """Index instances whose bytes are in the archive, by their keys."""
    return store_instances(archive, (_part(archive, key) for key in objects), "", replaces=False)


def _rows(archive: Archive, study: str) -> Iterator[InstanceRow]:
    for series in archive.index.series_of(study):
        yield from archive.index.instances_of(study, series.series)


def _objects_without_row(archive: Archive, rows: dict[str, InstanceRow], alone: list[str]) -> Iterator[Finding]:
    known = {(row.study, row.series, row.instance) for row in rows.values()}
    replaced = [key for key in alone if keys.path_of_instance_object(key) in known]
    if replaced:
        archive.storage.delete(replaced)
        yield from (Finding(REPLACED, key, "removed") for key in replaced)
    orphans = [key for key in alone if key not in replaced and keys.path_of_instance_object(key)]
    for key, outcome in zip(orphans, store_objects(archive, orphans), strict=True):
        told = outcome.comment if isinstance(outcome, Failed) else "indexed"
        yield Finding(OBJECT_WITHOUT_ROW, key, told)


def _rows_without_object(archive: Archive, lost: list[InstanceRow]) -> Iterator[Finding]:
    for row in lost:
        # A delete may have been faster than the list.
        if archive.index.instance(row.study, row.series, row.instance) is None:
            continue
        markers = archive.storage.delete_markers(row.object_key)
        if marker := markers.get(row.object_key):
            archive.storage.undelete(row.object_key, marker)
            yield Finding(ROW_WITHOUT_OBJECT, row.object_key, "brought back")
        elif archive.storage.state(row.object_key) is None:
            archive.index.remove([row])
            yield Finding(ROW_WITHOUT_OBJECT, row.object_key, "lost: no version of it is kept; removed from the index")


def _unused_metadata(archive: Archive, study: str, rows: Iterable[InstanceRow]) -> Iterator[Finding]:
    used: set[str] = set()
    for row in rows:
        used |= {keys.fragment_object(study, row.series, row.fragment), keys.series_object(study, row.series)}
        used.add(keys.frames_object(study, row.series, row.fragment, row.instance))
        used.add(keys.bulk_object(study, row.series, row.fragment, row.instance))
    for folder in (keys.metadata_folder(study), keys.layouts_folder(study)):
        unused = [
            each.key for each in archive.storage.objects(folder) if each.key not in used and not each.is_in_flight
        ]
        if unused:
            archive.storage.delete(unused)
            yield from (Finding(UNUSED, key, "removed") for key in unused)


def _part(archive: Archive, key: str) -> Part[Upload]:
    upload = Upload()
    for chunk in archive.storage.open(key):
        upload.write(chunk)
    return Part({}, upload)
