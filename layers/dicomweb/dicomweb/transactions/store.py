"""Store: the one path by which instances enter the archive, whatever door they come through (PS3.18 §10.5).

Bytes first, metadata next, index last: an instance is findable only once it can be retrieved. A crash in between leaves
objects without a row, which the next store of the same instance takes over.
"""

import gzip
import logging
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.part10 import Instance, Unidentified, read_file
from dicomweb.dicom.store_response import (
    CANNOT_UNDERSTAND,
    DOES_NOT_MATCH_SOP_CLASS,
    DUPLICATE_INSTANCE,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    Failed,
    Outcome,
    Stored,
)  # fmt: skip
from dicomweb.errors import ArchiveBusy, ArchiveRefused, InvalidDicom, NotFound
from dicomweb.transactions.instance_bytes import InstanceBytes, KeptAs, OtherContent
from dicomweb.transactions.labels import labels_of
from dicomweb.transactions.records import Record, record_of
from dicomweb.transactions.upload import Upload

log = logging.getLogger(__name__)

_BATCH = 80  # instances indexed at once; one transaction of the index takes about as many
_IN_FLIGHT = 8  # uploads to S3 under way

_OTHER_CONTENT = "other content is stored under this SOP Instance UID and is kept"
_SET_ASIDE = "; this one is set aside as the conflict "


@dataclass(slots=True)
class _Pending:
    """An instance whose bytes are on their way to S3."""

    part: int
    record: Record
    upload: Upload
    kept: "Future[KeptAs]"
    warning: str

    @property
    def row(self) -> InstanceRow:
        return self.record.new.row


def store_instances(
    archive: Archive, parts: Iterable[Part[Upload]], study: str, *, replaces: bool | None = None
) -> list[Outcome]:
    """Store what the parts of a request hold; one outcome for each part, in order.

    Args:
        study: the only study to accept, "" for any.
        replaces: whether instances take the place of other content under their UIDs; None: as the settings say.
    """
    if replaces is None:
        replaces = archive.settings.OverwriteInstances != "Never"
    return _Request(archive, study, replaces=replaces).store(parts)


class _Request:
    def __init__(self, archive: Archive, study: str, *, replaces: bool) -> None:
        self._archive = archive
        self._study = study
        self._replaces = replaces
        self._bytes = InstanceBytes(archive, replaces=replaces)
        self._outcomes: dict[int, Outcome] = {}
        self._pending: list[_Pending] = []

    def store(self, parts: Iterable[Part[Upload]]) -> list[Outcome]:
        for number, part in enumerate(parts, 1):
            try:
                self._take(number, part)
            except Exception:
                # A part that we cannot handle fails alone; the log says why.
                log.exception("part %d of a store failed", number)
                self._fail(number, PROCESSING_FAILURE, "an unexpected error; the server's log has it")
            if len(self._pending) >= _BATCH:
                self._flush()
        self._flush()
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    def _take(self, number: int, part: Part[Upload]) -> None:
        media_type = part.headers.get("content-type", "application/dicom").split(";")[0].strip().lower()
        if part.fault:
            # What could not be made of metadata is known by them.
            known = (part.headers.get(name, "") for name in ("sop-instance", "sop-class"))
            self._fail(number, PROCESSING_FAILURE, part.fault, *known)
        elif media_type != "application/dicom":
            self._fail(number, PROCESSING_FAILURE, f"the part is {media_type}; expected application/dicom")
        else:
            self._take_file(number, part.content)

    def _take_file(self, number: int, upload: Upload) -> None:
        if upload.size == 0:
            self._fail(number, CANNOT_UNDERSTAND, "the part is empty; expected a DICOM file")
            return
        try:
            with upload.view() as data:
                instance = read_file(data, self._archive.settings.codec)
        except Unidentified as error:
            self._fail(number, CANNOT_UNDERSTAND, str(error), error.instance, error.sop_class)
            return
        except InvalidDicom as error:
            self._fail(number, CANNOT_UNDERSTAND, str(error))
            return
        if self._study and instance.study != self._study:
            comment = f"the instance is of study {instance.study}, the request is for study {self._study}"
            self._fail(number, PROCESSING_FAILURE, comment, instance.instance, instance.sop_class)
            return
        record = record_of(instance, upload.size, upload.sha256, self._archive.indexed)
        if any(pending.row.instance == record.new.row.instance for pending in self._pending):
            self._flush()  # the same instance twice in one request: the first must be indexed before the second is
        under_way = [each.kept for each in self._pending if not each.kept.done()]
        if len(under_way) >= _IN_FLIGHT:
            under_way[0].exception()  # waits; what went wrong is said when the batch is indexed
        record.new.replaces = self._replaces
        record.new.labels = labels_of(record.new, self._archive.settings.AccessLabels)
        kept = self._archive.storage.submit(self._bytes.keep, record.new.row, upload)
        self._pending.append(_Pending(number, record, upload, kept, _warning(instance)))

    def _flush(self) -> None:
        """Write the metadata of what is pending, then index it."""
        ready: list[_Pending] = []
        for pending in self._pending:
            with self._failing_alone([pending]):
                if pending.kept.result() == KeptAs.INDEXED:
                    self._stored(pending)
                else:
                    ready.append(pending)
        for study in dict.fromkeys(pending.row.study for pending in ready):
            of_study = [pending for pending in ready if pending.row.study == study]
            with self._failing_alone(of_study):
                self._write_metadata(of_study)
                self._index(of_study)
        for pending in self._pending:
            pending.upload.close()
        self._pending = []

    def _index(self, of_study: list[_Pending]) -> None:
        try:
            known = self._archive.index.add([pending.record.new for pending in of_study])
        except ArchiveRefused:
            if len(of_study) == 1:
                raise
            for pending in of_study:  # one of them cannot be indexed; the others can
                with self._failing_alone([pending]):
                    self._index([pending])
            return
        for pending in of_study:
            with self._failing_alone([pending]):
                before = known.get(pending.row.instance)
                if before and before.sha256 != pending.row.sha256:
                    if not self._replaces:
                        raise OtherContent
                    if before.object_key != pending.row.object_key:
                        self._archive.storage.delete([before.object_key])
                if pending.kept.result() == KeptAs.FOUND:
                    self._bytes.keep_found(pending.row, pending.upload)
                self._stored(pending)

    @contextmanager
    def _failing_alone(self, members: list[_Pending]) -> Iterator[None]:
        """What goes wrong inside fails these instances, and nothing else of the request."""
        try:
            yield
        except OtherContent as error:
            aside = f"{_SET_ASIDE}{error}" if str(error) else ", and this one is not"
            self._fail_pending(members, DUPLICATE_INSTANCE, _OTHER_CONTENT + aside)
        except (ArchiveBusy, ArchiveRefused, NotFound) as error:
            log.warning("%d instances were not stored: %s", len(members), error)
            # Only of the first is it worth a try again.
            reason = OUT_OF_RESOURCES if isinstance(error, ArchiveBusy) else PROCESSING_FAILURE
            self._fail_pending(members, reason, str(error))
        except Exception:
            log.exception("%d instances were not stored", len(members))
            self._fail_pending(members, PROCESSING_FAILURE, "an unexpected error; the server's log has it")

    def _write_metadata(self, of_study: list[_Pending]) -> None:
        storage = self._archive.storage
        writes: list[Future[None]] = []
        for series in dict.fromkeys(pending.row.series for pending in of_study):
            members = [pending for pending in of_study if pending.row.series == series]
            fragment = uuid.uuid4().hex
            for line, pending in enumerate(members):
                pending.row.fragment = fragment
                pending.row.line = line
            key = keys.fragment_object(members[0].row.study, series, fragment)
            text = b"\n".join(pending.record.line for pending in members)
            writes.append(storage.submit(storage.write_gzip, key, gzip.compress(text, 6, mtime=0), {}))
        for pending in of_study:
            row = pending.row
            if pending.record.frame_table:
                key = keys.frames_object(row.study, row.series, row.fragment, row.instance)
                writes.append(storage.submit(storage.write, key, pending.record.frame_table))
            if pending.record.bulk:
                key = keys.bulk_object(row.study, row.series, row.fragment, row.instance)
                writes.append(
                    storage.submit(storage.write_gzip, key, gzip.compress(pending.record.bulk, 6, mtime=0), {})
                )
        for write in writes:
            write.result()

    def _stored(self, pending: _Pending) -> None:
        row = pending.row
        new = pending.record.new
        warning = DOES_NOT_MATCH_SOP_CLASS if pending.warning else 0
        self._outcomes[pending.part] = Stored(
            row.study, row.series, row.instance, new.sop_class, new.identifier, warning, pending.warning
        )

    def _fail_pending(self, members: list[_Pending], reason: int, comment: str) -> None:
        for pending in members:
            self._fail(pending.part, reason, comment, pending.row.instance, pending.record.new.sop_class)

    def _fail(self, number: int, reason: int, comment: str, instance: str = "", sop_class: str = "") -> None:
        self._outcomes[number] = Failed(number, reason, comment, instance, sop_class)


def _warning(instance: Instance) -> str:
    """What who sent an instance should know of it, "" for nothing."""
    if instance.media_sop_class in ("", instance.sop_class):
        return ""
    return (
        f"Media Storage SOP Class UID (0002,0002) is {instance.media_sop_class}, SOP Class UID (0008,0016) is "
        f"{instance.sop_class}: stored under the latter"
    )
