"""Retrieve: instances, as stored or in another transfer syntax (PS3.18 §10.4.1.1.1)."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from os.path import commonprefix
from threading import Event

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_LITTLE, NATIVE, VIDEO
from dicomweb.errors import CannotTranscode, UserAgentGone
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
_CHECK_S = 0.5  # how often who waits is asked whether they still do
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
class _ToTranscode:
    row: InstanceRow
    transfer_syntax: str
    key: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An instance that has no form in the transfer syntax asked for."""

    row: InstanceRow
    reason: str


def make_ready(
    archive: Archive, rows: list[InstanceRow], transfer_syntax: str, check: Callable[[], None]
) -> list[Ready | Refused]:
    """Each instance in a transfer syntax. Pixels are transcoded here, once, so that nothing fails half-way.

    Args:
        transfer_syntax: a UID, AS_STORED or DEFAULT.
        check: called while work is under way; raises when nobody waits for it any more, which ends it.
    """
    made = _with_kept(archive, [_ready(archive, row, _target(row, transfer_syntax)) for row in rows])
    given_up = Event()
    work = {
        place: archive.storage.submit_work(_transcode, archive, each, given_up)
        for place, each in enumerate(made)
        if isinstance(each, _ToTranscode)
    }
    try:
        done = {place: _result(future, check) for place, future in work.items()}
    finally:
        given_up.set()
        for future in work.values():
            future.cancel()
    return [done[place] if isinstance(each, _ToTranscode) else each for place, each in enumerate(made)]


def _result(future: "Future[Ready | Refused]", check: Callable[[], None]) -> Ready | Refused:
    while not future.done():
        check()
        wait([future], timeout=_CHECK_S)
    return future.result()


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


def _with_kept(
    archive: Archive, made: "list[Ready | Refused | _ToTranscode]"
) -> "list[Ready | Refused | _ToTranscode]":
    """The same, where what was transcoded before is ready; one list of what is kept tells which."""
    wanted = [each.key for each in made if isinstance(each, _ToTranscode)]
    # A prefix is so many characters, not a path.
    objects = archive.storage.objects(commonprefix(wanted)) if wanted else ()  # noqa: RUF071
    sizes = {each.key: each.size for each in objects}
    return [
        _kept(archive, each, sizes[each.key]) if isinstance(each, _ToTranscode) and each.key in sizes else each
        for each in made
    ]


def _kept(archive: Archive, wanted: _ToTranscode, size: int) -> Ready:
    return Ready(
        wanted.row, wanted.transfer_syntax, size, wanted.key, lambda: archive.storage.read_soon(wanted.key, size)
    )


def _ready(archive: Archive, row: InstanceRow, target: str) -> "Ready | Refused | _ToTranscode":
    stored = row.object_key
    storage = archive.storage
    if target == row.transfer_syntax:
        return Ready(row, target, row.size, stored, lambda: storage.read_soon(stored, row.size))
    try:
        if _is_rewritten(row, target):
            return Ready(row, target, None, "", lambda: transcode(storage.read_bytes(stored), target))
        is_native = row.transfer_syntax in NATIVE and target in CONTAINERS
        if reason := can_transcode(None if is_native else image_of(row), row.transfer_syntax, target):
            return Refused(row, reason)
        # What was kept of other bytes, or made for another target, has another name.
        kept = keys.transcoded_object(row.study, row.series, row.instance, f"{row.sha256}-{target}")
        return _ToTranscode(row, target, kept)
    except CannotTranscode as error:
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


def _transcode(archive: Archive, wanted: _ToTranscode, given_up: Event) -> Ready | Refused:
    """Keep an instance in another transfer syntax, unless that is given up meanwhile."""
    row, storage = wanted.row, archive.storage
    source = Upload()
    writer = storage.writer(wanted.key, "application/dicom")
    try:
        for chunk in storage.open(row.object_key):
            source.write(chunk)
        with source.view() as content:
            for chunk in transcode(content, wanted.transfer_syntax):
                if given_up.is_set():
                    raise UserAgentGone("nobody waits for it any more")
                writer.write(chunk)
        writer.finish()
    except CannotTranscode as error:
        writer.abort()
        log.info("instance %s has no form in %s: %s", row.instance, wanted.transfer_syntax, error)
        return Refused(row, str(error))
    except BaseException:
        writer.abort()
        raise
    finally:
        source.close()
    return _kept(archive, wanted, writer.size)
