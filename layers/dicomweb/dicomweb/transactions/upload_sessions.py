"""Upload sessions: a body of any size in parts, put straight into S3, in any order, again, or later (an extension).

When the parts are put together, S3 tells of the object under incoming/, and it is stored as any other (`incoming.py`).
"""

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import UploadRow
from dicomweb.dicom.store_response import Outcome
from dicomweb.errors import BadRequest, NotFound
from dicomweb.identity import ADMIN, Identity
from dicomweb.transactions.incoming import read_result

_LEAST_PART = 16 * 1024 * 1024  # bytes
_MOST_PARTS = 10_000  # of an object in S3
_LARGEST = 5 * 1024**4  # bytes of an object in S3
_EXPIRES_S = 2 * 24 * 3600  # as the lifecycle of unfinished uploads has it
_MOST_NAMED = 20  # parts in a message


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is.

    Attributes:
        received: numbers of the parts that are there, all of them when it is complete.
        outcomes: what became of the files in it, once it is stored.
    """

    row: UploadRow
    received: frozenset[int]
    is_complete: bool
    outcomes: list[Outcome] | None

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts that are still to come."""
        return [number for number in range(1, part_count(self.row) + 1) if number not in self.received]


def start_upload(archive: Archive, size: int, content_type: str, who: Identity) -> UploadRow:
    """Begin an upload of so many bytes.

    Raises:
        BadRequest: none, or more than S3 takes.
    """
    if not 0 < size <= _LARGEST:
        raise BadRequest(f"Size is {size}; expected 1 to {_LARGEST} bytes")
    upload = uuid.uuid4().hex
    s3_upload = archive.storage.incoming.start(keys.upload_object(upload), content_type)
    # Whole megabytes, so that the numbers are easy to follow.
    part_bytes = max(_LEAST_PART, -(-size // _MOST_PARTS // 2**20) * 2**20)
    row = UploadRow(upload, s3_upload, size, part_bytes, int(time.time()) + _EXPIRES_S, who.name)
    archive.index.keep_upload(row)
    return row


def part_count(row: UploadRow) -> int:
    return -(-row.size // row.part_bytes)


def part_urls(archive: Archive, row: UploadRow, numbers: list[int], seconds: int) -> dict[int, str]:
    """Where parts may be put for some time."""
    key = keys.upload_object(row.upload)
    return {number: archive.storage.incoming.part_url(key, row.s3_upload, number, seconds) for number in numbers}


def progress_of(archive: Archive, upload: str, who: Identity) -> Progress:
    """Raises NotFound for an upload that there is not, or that has expired."""
    row = _row(archive, upload, who)
    everything = frozenset(range(1, part_count(row) + 1))
    try:
        parts = archive.storage.incoming.parts(keys.upload_object(upload), row.s3_upload)
        return Progress(row, frozenset(parts), False, None)
    except NotFound:  # put together
        pass
    try:
        return Progress(row, everything, True, read_result(archive, upload))
    except NotFound:
        return Progress(row, everything, True, None)


def complete_upload(archive: Archive, upload: str, who: Identity) -> None:
    """Put the parts together; doing it again changes nothing.

    Raises:
        NotFound: there is no such upload.
        BadRequest: parts are missing, or of another size than was said.
    """
    row = _row(archive, upload, who)
    key = keys.upload_object(upload)
    try:
        parts = archive.storage.incoming.parts(key, row.s3_upload)
    except NotFound:
        return
    count = part_count(row)
    expected = dict.fromkeys(range(1, count + 1), row.part_bytes) | {count: row.size - (count - 1) * row.part_bytes}
    received = {number: part.size for number, part in parts.items()}
    wrong = [number for number in sorted({*expected, *received}) if received.get(number) != expected.get(number)]
    if wrong:
        named = ", ".join(
            f"{number} ({received.get(number, 'no')} bytes, expected {expected.get(number, 'none')})"
            for number in wrong[:_MOST_NAMED]
        )
        raise BadRequest(f"{len(wrong)} parts are missing or of another size: {named}")
    archive.storage.incoming.finish(key, row.s3_upload, parts)


def abort_upload(archive: Archive, upload: str, who: Identity) -> None:
    """Forget an upload and its parts; what is complete is stored nevertheless.

    Raises:
        NotFound: there is no such upload.
    """
    row = _row(archive, upload, who)
    with suppress(NotFound):
        archive.storage.incoming.abort(keys.upload_object(upload), row.s3_upload)
    archive.index.forget_upload(upload)


def _row(archive: Archive, upload: str, who: Identity) -> UploadRow:
    """The upload, for who began it, and for who administers; to others there is none."""
    row = archive.index.upload(upload)
    if row is None or not (row.owner == who.name or who.may(ADMIN)):
        raise NotFound(f"no upload {upload[:64]}, or it has expired")
    return row
