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
from enum import Enum

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import NONE, InstanceRow, NewInstance
from dicomweb.dicom import attributes
from dicomweb.dicom.frames import EncapsulatedFrames, NativeFrames
from dicomweb.dicom.json_model import dumps, text_of
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.part10 import Instance, Unidentified, read_file
from dicomweb.dicom.store_response import (
    CANNOT_UNDERSTAND,
    DUPLICATE_INSTANCE,
    PROCESSING_FAILURE,
    Failed,
    Outcome,
    Stored,
)  # fmt: skip
from dicomweb.errors import ArchiveBusy, ArchiveRefused, InvalidDicom, NotFound
from dicomweb.transactions.upload import Upload

log = logging.getLogger(__name__)

_BATCH = 80  # instances indexed at once; one transaction of the index takes about as many
_IN_FLIGHT = 8  # uploads to S3 under way
_INLINE = 4096  # bytes of a frame table or bulk list kept in the row; longer ones are objects of their own

_OTHER_CONTENT = "other content is stored under this SOP Instance UID; it is kept, and this one is not"


class _Bytes(Enum):
    """What became of an instance's bytes."""

    CREATED = "stored by us, to be indexed"
    FOUND = "there already without a row, to be indexed; who deletes them may be at it"
    INDEXED = "there already, and indexed with these bytes"


@dataclass(slots=True)
class _Pending:
    """An instance whose bytes are on their way to S3."""

    part: int
    new: NewInstance
    line: bytes
    frame_table: bytes
    bulk: bytes
    upload: Upload
    kept: "Future[_Bytes]"


def store_instances(archive: Archive, parts: Iterable[Part[Upload]], study: str) -> list[Outcome]:
    """Store what the parts of a request hold; one outcome for each part, in order.

    Args:
        study: the only study to accept, "" for any.
    """
    return _Request(archive, study).store(parts)


class _Request:
    def __init__(self, archive: Archive, study: str) -> None:
        self._archive = archive
        self._study = study
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
            self._fail(number, PROCESSING_FAILURE, part.fault)
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
        pending = self._pend(number, instance, upload)
        if self._is_repeated(pending):
            self._flush()  # the same instance twice in one request: the first must be indexed before the second is
        under_way = [each.kept for each in self._pending if not each.kept.done()]
        if len(under_way) >= _IN_FLIGHT:
            under_way[0].exception()  # waits; what went wrong is said when the batch is indexed
        pending.kept = self._archive.storage.submit(self._keep_bytes, pending.new.row, upload)
        self._pending.append(pending)

    def _is_repeated(self, pending: _Pending) -> bool:
        return any(each.new.row.instance == pending.new.row.instance for each in self._pending)

    def _keep_bytes(self, row: InstanceRow, upload: Upload) -> _Bytes:
        """Put the bytes into S3, unless they are there.

        Raises:
            _OtherContent: another file has this SOP Instance UID.
        """
        kept = None
        try:
            kept = self._put_bytes(row, upload)
            return kept
        finally:
            # Memory stays flat: only bytes that may have to be stored again are kept, on disk.
            if kept == _Bytes.FOUND:
                upload.move_to_disk()
            else:
                upload.close()

    def _put_bytes(self, row: InstanceRow, upload: Upload) -> _Bytes:
        storage = self._archive.storage
        key = keys.instance_object(row.study, row.series, row.instance)
        if storage.create_instance(key, upload.file, upload.size, upload.sha256):
            return _Bytes.CREATED
        there = storage.state(key)
        known = self._archive.index.instance(row.study, row.series, row.instance)
        if known:
            if known.sha256 == row.sha256:
                return _Bytes.INDEXED
            raise _OtherContent
        if there and there.sha256 == row.sha256:
            return _Bytes.FOUND
        # Bytes without a row are what a crash left, unless another writer is just about to index them.
        if (
            there
            and not there.is_in_flight
            and storage.replace_instance(key, upload.file, upload.size, upload.sha256, there.etag)
        ):
            return _Bytes.CREATED
        raise _OtherContent

    def _flush(self) -> None:
        """Write the metadata of what is pending, then index it."""
        ready: list[_Pending] = []
        for pending in self._pending:
            with self._failing_alone([pending]):
                if pending.kept.result() == _Bytes.INDEXED:
                    self._stored(pending)
                else:
                    ready.append(pending)
        for study in dict.fromkeys(pending.new.row.study for pending in ready):
            of_study = [pending for pending in ready if pending.new.row.study == study]
            with self._failing_alone(of_study):
                self._write_metadata(of_study)
                self._index(of_study)
        for pending in self._pending:
            pending.upload.close()
        self._pending = []

    def _index(self, of_study: list[_Pending]) -> None:
        try:
            known = self._archive.index.add([pending.new for pending in of_study])
        except ArchiveRefused:
            if len(of_study) == 1:
                raise
            for pending in of_study:  # one of them cannot be indexed; the others can
                with self._failing_alone([pending]):
                    self._index([pending])
            return
        for pending in of_study:
            with self._failing_alone([pending]):
                if known.get(pending.new.row.instance, pending.new.row.sha256) != pending.new.row.sha256:
                    raise _OtherContent
                if pending.kept.result() == _Bytes.FOUND:
                    self._keep_found_bytes(pending)
                self._stored(pending)

    def _keep_found_bytes(self, pending: _Pending) -> None:
        """A delete may have removed the bytes between our finding and our indexing them: then they are stored again.

        The delete looks at the index after it removed them, we look at the bytes after we indexed them: one of the
        two sees the other.
        """
        row = pending.new.row
        key = keys.instance_object(row.study, row.series, row.instance)
        storage = self._archive.storage
        if storage.state(key) is None:
            storage.create_instance(key, pending.upload.file, pending.upload.size, pending.upload.sha256)

    @contextmanager
    def _failing_alone(self, members: list[_Pending]) -> Iterator[None]:
        """What goes wrong inside fails these instances, and nothing else of the request."""
        try:
            yield
        except _OtherContent:
            self._fail_pending(members, DUPLICATE_INSTANCE, _OTHER_CONTENT)
        except (ArchiveBusy, ArchiveRefused, NotFound) as error:
            log.warning("%d instances were not stored: %s", len(members), error)
            self._fail_pending(members, PROCESSING_FAILURE, str(error))
        except Exception:
            log.exception("%d instances were not stored", len(members))
            self._fail_pending(members, PROCESSING_FAILURE, "an unexpected error; the server's log has it")

    def _write_metadata(self, of_study: list[_Pending]) -> None:
        storage = self._archive.storage
        writes: list[Future[None]] = []
        for series in dict.fromkeys(pending.new.row.series for pending in of_study):
            members = [pending for pending in of_study if pending.new.row.series == series]
            fragment = uuid.uuid4().hex
            for line, pending in enumerate(members):
                pending.new.row.fragment = fragment
                pending.new.row.line = line
            key = keys.fragment_object(members[0].new.row.study, series, fragment)
            text = b"\n".join(pending.line for pending in members)
            writes.append(storage.submit(storage.write_gzip, key, gzip.compress(text, 6, mtime=0), {}))
        for pending in of_study:
            row = pending.new.row
            if pending.frame_table:
                key = keys.frames_object(row.study, row.series, row.fragment, row.instance)
                writes.append(storage.submit(storage.write_bytes, key, pending.frame_table))
            if pending.bulk:
                key = keys.bulk_object(row.study, row.series, row.fragment, row.instance)
                writes.append(storage.submit(storage.write_gzip, key, gzip.compress(pending.bulk, 6, mtime=0), {}))
        for write in writes:
            write.result()

    def _pend(self, number: int, instance: Instance, upload: Upload) -> _Pending:
        frames, table = _frames(instance)
        bulk = {
            path: [value.vr, value.start, value.length, value.little, value.encapsulated]
            for path, value in instance.bulk.items()
        }
        bulk_text = dumps(bulk).encode()
        row = InstanceRow(
            study=instance.study,
            series=instance.series,
            instance=instance.instance,
            attributes=attributes.row_of(instance.metadata, attributes.INSTANCE),
            transfer_syntax=instance.transfer_syntax,
            size=upload.size,
            sha256=upload.sha256.hex(),
            fragment="",
            line=0,
            frames=frames,
            frame_table=table if len(table) <= _INLINE else b"",
            bulk=bulk if len(bulk_text) <= _INLINE else None,
        )
        new = NewInstance(
            row=row,
            series_attributes=attributes.row_of(instance.metadata, attributes.SERIES),
            study_attributes=attributes.row_of(instance.metadata, attributes.STUDY),
            modality=text_of(instance.metadata, "00080060")[:16] or NONE,
            sop_class=instance.sop_class,
        )
        return _Pending(
            part=number,
            new=new,
            line=_metadata_line(instance),
            frame_table=table if len(table) > _INLINE else b"",
            bulk=bulk_text if len(bulk_text) > _INLINE else b"",
            upload=upload,
            kept=Future(),
        )

    def _stored(self, pending: _Pending) -> None:
        row = pending.new.row
        self._outcomes[pending.part] = Stored(row.study, row.series, row.instance, pending.new.sop_class)

    def _fail_pending(self, members: list[_Pending], reason: int, comment: str) -> None:
        for pending in members:
            self._fail(pending.part, reason, comment, pending.new.row.instance, pending.new.sop_class)

    def _fail(self, number: int, reason: int, comment: str, instance: str = "", sop_class: str = "") -> None:
        self._outcomes[number] = Failed(number, reason, comment, instance, sop_class)


class _OtherContent(Exception):
    """The SOP Instance UID is taken by another file."""


def _metadata_line(instance: Instance) -> bytes:
    text = dumps(instance.metadata)
    if not text.isascii() and "00080005" not in instance.metadata:
        # Metadata are in UTF-8 and say so (PS3.18 §F.2.1), also when the file did not name its character set.
        character_set = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
        text = dumps(dict(sorted((instance.metadata | character_set).items())))
    return text.encode("utf-8", "replace")


def _frames(instance: Instance) -> tuple[str, bytes]:
    """How the row says where the frames are, and the table of encapsulated ones."""
    match instance.frames:
        case NativeFrames(vr, start, frame_bits, count):
            return f"native:{vr}:{start}:{frame_bits}:{count}", b""
        case EncapsulatedFrames(table, count):
            return f"table:{count}", table
        case _:
            return "", b""
