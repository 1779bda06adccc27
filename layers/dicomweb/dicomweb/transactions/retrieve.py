"""Retrieve: instances, frames and bulk data, as stored (PS3.18 §10.4). No file is parsed: ingest knows every place."""

import json
from collections.abc import Iterator

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.frames import SPAN_BYTES, NativeFrames, join_fragments, shift_bits, swap_bytes, unpack_span
from dicomweb.dicom.part10 import inflate
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_BIG
from dicomweb.errors import BadRequest, NotFound
from dicomweb.transactions.search_order import in_order, series_in_order

Body = Iterator[bytes]


def find_instances(archive: Archive, study: str, series: str = "", instance: str = "") -> list[InstanceRow]:
    """The instances of a study, a series, or the one named, in (series, instance) number order.

    Raises:
        NotFound: there are none.
    """
    index = archive.index
    if instance:
        row = index.instance(study, series, instance)
        rows = [row] if row else []
    elif series:
        rows = in_order(index.instances_of(study, series))
    else:
        uids = [row.series for row in series_in_order(index.series_of(study))]
        of_series = archive.storage.map_ahead(lambda uid: index.instances_of(study, uid), uids, 4)
        rows = [row for rows in of_series for row in in_order(rows)]
    if not rows:
        path = " in ".join(
            f"{level} {uid}" for level, uid in (("instance", instance), ("series", series), ("study", study)) if uid
        )
        raise NotFound(f"no {path}")
    return rows


def open_instances(archive: Archive, rows: list[InstanceRow]) -> Iterator[tuple[InstanceRow, Body]]:
    """Each instance with its stored bytes; a few objects are opened ahead."""
    paths = (keys.instance_object(row.study, row.series, row.instance) for row in rows)
    bodies = archive.storage.map_ahead(archive.storage.open, paths, archive.settings.DicomWeb.WadoRsLoaderThreadsCount)
    return zip(rows, bodies, strict=True)


def read_frames(archive: Archive, row: InstanceRow, numbers: list[int]) -> Iterator[bytes]:
    """Frames as they are stored: native pixels in little endian, or the bitstream of an encapsulated frame.

    Raises:
        BadRequest: numbers below 1.
        NotFound: the instance has no frames, or fewer.
    """
    kind, *fields = row.frames.split(":")
    count = frame_count(row)
    for number in numbers:
        if number < 1:
            raise BadRequest(f"frame {number}: frames are counted from 1")
        if number > count:
            raise NotFound(
                f"frame {number}: instance {row.instance} has {count or 'no'} frames that can be read one by one"
            )
    if kind == "native":
        return _native_frames(archive, row, NativeFrames(fields[0], *map(int, fields[1:])), numbers)
    return _encapsulated_frames(archive, row, numbers)


def frame_count(row: InstanceRow) -> int:
    """How many frames can be read one by one; 0 for objects without pixel data, and for video."""
    return int(row.frames.rpartition(":")[2]) if row.frames else 0


def open_bulk_data(archive: Archive, row: InstanceRow, path: str) -> Body:
    """A bulk value by its path in the metadata; little endian when it is numbers.

    Raises:
        NotFound: the instance has no bulk data there.
    """
    bulk = row.bulk
    if bulk is None:
        bulk = json.loads(
            archive.storage.read_gzip(keys.bulk_object(row.study, row.series, row.fragment, row.instance))
        )
    if path.upper() not in bulk:
        raise NotFound(f"instance {row.instance} has no bulk data at {path}")
    vr, start, length, little, encapsulated = bulk[path.upper()]
    if little and not encapsulated:
        return _open_range(archive, row, start, length)
    value = b"".join(_open_range(archive, row, start, length))
    if encapsulated:
        # The items without their headers, the offset table left out (PS3.18 §8.7.3.4).
        table_length = int.from_bytes(value[4:8], "little")
        return iter([join_fragments(value[8 + table_length : -8])])
    return iter([swap_bytes(value, vr)])


def _native_frames(archive: Archive, row: InstanceRow, frames: NativeFrames, numbers: list[int]) -> Iterator[bytes]:
    def read(number: int) -> bytes:
        start, length, skip = frames.span(number)
        frame = shift_bits(_read_range(archive, row, start, length), skip, frames.frame_bits)
        return swap_bytes(frame, frames.vr) if row.transfer_syntax == EXPLICIT_BIG else frame

    return archive.storage.map_ahead(read, numbers, 4)


def _encapsulated_frames(archive: Archive, row: InstanceRow, numbers: list[int]) -> Iterator[bytes]:
    def read(number: int) -> bytes:
        at = (number - 1) * SPAN_BYTES
        if row.frame_table:
            record = row.frame_table[at : at + SPAN_BYTES]
        else:
            table = keys.frames_object(row.study, row.series, row.fragment, row.instance)
            record = archive.storage.read_range(table, at, SPAN_BYTES)
        return join_fragments(_read_range(archive, row, *unpack_span(record)))

    return archive.storage.map_ahead(read, numbers, 4)


def _read_range(archive: Archive, row: InstanceRow, start: int, length: int) -> bytes:
    return b"".join(_open_range(archive, row, start, length))


def _open_range(archive: Archive, row: InstanceRow, start: int, length: int) -> Body:
    key = keys.instance_object(row.study, row.series, row.instance)
    if row.transfer_syntax in DEFLATED:
        # Places are those of the inflated file: it has to be inflated as a whole.
        return iter([inflate(archive.storage.read(key)[0])[start : start + length]])
    return archive.storage.open(key, start, length)


def transfer_syntaxes(rows: list[InstanceRow]) -> list[str]:
    """The transfer syntaxes in which instances are stored, each once."""
    return sorted({row.transfer_syntax for row in rows})
