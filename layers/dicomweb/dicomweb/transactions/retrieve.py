"""Retrieve: instances, as stored or in another transfer syntax (PS3.18 §10.4.1.1.1)."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_LITTLE, NATIVE, VIDEO
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.capabilities import CONTAINERS, can_transcode
from dicomweb.pixels.image import ImagePixel
from dicomweb.pixels.transcode import transcode
from dicomweb.transactions.upload import Upload

log = logging.getLogger(__name__)

Body = Iterator[bytes]

AS_STORED, DEFAULT = (
    "*",
    "",
)  # transfer syntaxes: whatever it is stored in; what the Standard has when none is asked for
_AT_ONCE = 4 * 1024 * 1024  # bytes of a file that is rewritten in memory while it is sent


@dataclass(frozen=True, slots=True)
class Ready:
    """An instance that can be sent.

    Attributes:
        size: bytes; None when they are known only once they have been sent.
        key: the object that has these bytes, "" when there is none.
    """

    row: InstanceRow
    transfer_syntax: str
    size: int | None
    key: str
    open: Callable[[], Body]


@dataclass(frozen=True, slots=True)
class Refused:
    """An instance that has no form in the transfer syntax asked for."""

    row: InstanceRow
    reason: str


def make_ready(archive: Archive, rows: list[InstanceRow], transfer_syntax: str) -> Iterator[Ready | Refused]:
    """Each instance in a transfer syntax. Pixels are transcoded here, once, so that nothing fails half-way.

    Args:
        transfer_syntax: a UID, AS_STORED or DEFAULT.
    """

    def ready(row: InstanceRow) -> Ready | Refused:
        return _ready(archive, row, _target(row, transfer_syntax))

    if all(_target(row, transfer_syntax) == row.transfer_syntax for row in rows):
        return map(ready, rows)
    return archive.storage.map_work(ready, rows)


def open_ahead(archive: Archive, instances: list[Ready]) -> Iterator[Body]:
    """The bytes of each; a few objects are read ahead."""
    ahead = archive.settings.DicomWeb.WadoRsLoaderThreadsCount
    return archive.storage.map_ahead(lambda instance: instance.open(), instances, ahead)


def image_of(row: InstanceRow) -> ImagePixel | None:
    """What describes the pixels of an instance, None when it has none.

    Raises:
        CannotTranscode: its attributes do not.
    """
    if row.image is None:
        return None
    if "fault" in row.image:
        raise CannotTranscode(row.image["fault"])
    return ImagePixel(**row.image)


def _target(row: InstanceRow, transfer_syntax: str) -> str:
    # Video has a default of its own: nobody wants it as pixels (PS3.18 §8.7.3.3.2).
    if transfer_syntax == AS_STORED or (transfer_syntax == DEFAULT and row.transfer_syntax in VIDEO):
        return row.transfer_syntax
    return transfer_syntax or EXPLICIT_LITTLE


def _ready(archive: Archive, row: InstanceRow, target: str) -> Ready | Refused:
    stored = keys.instance_object(row.study, row.series, row.instance)
    storage = archive.storage
    if target == row.transfer_syntax:
        return Ready(row, target, row.size, stored, lambda: storage.read_soon(stored, row.size))
    try:
        if _is_rewritten(row, target):
            return Ready(row, target, None, "", lambda: transcode(storage.read(stored)[0], target))
        is_native = row.transfer_syntax in NATIVE and target in CONTAINERS
        if reason := can_transcode(None if is_native else image_of(row), row.transfer_syntax, target):
            return Refused(row, reason)
        # What was kept of other bytes, or made for another target, has another name.
        kept = keys.transcoded_object(row.study, row.series, row.instance, f"{row.sha256}-{target}")
        state = storage.state(kept)
        size = state.size if state else _transcode(archive, row, target, kept)
        return Ready(row, target, size, kept, lambda: storage.read_soon(kept, size))
    except CannotTranscode as error:
        log.info("instance %s has no form in %s: %s", row.instance, target, error)
        return Refused(row, str(error))


def _is_rewritten(row: InstanceRow, target: str) -> bool:
    """Whether only the form of a small file's elements changes, which is quicker done than kept and cannot fail."""
    encapsulated = row.bulk is None or any(value[4] for value in row.bulk.values())
    return (
        row.size <= _AT_ONCE
        and target in CONTAINERS
        and row.transfer_syntax in NATIVE - DEFLATED
        and not (encapsulated or row.frames.startswith("table:"))
    )


def _transcode(archive: Archive, row: InstanceRow, target: str, key: str) -> int:
    """Keep an instance in another transfer syntax; its size."""
    source = Upload()
    writer = archive.storage.writer(key, "application/dicom")
    try:
        for chunk in archive.storage.open(keys.instance_object(row.study, row.series, row.instance)):
            source.write(chunk)
        with source.view() as content:
            for chunk in transcode(content, target):
                writer.write(chunk)
        writer.finish()
    except BaseException:
        writer.abort()
        raise
    finally:
        source.close()
    return writer.size
