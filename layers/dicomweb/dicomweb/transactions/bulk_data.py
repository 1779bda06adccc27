"""Bulk data: values that metadata only reference, by their place in the file (PS3.18 §10.4.1.1.5)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.frames import swap_bytes, word_vr
from dicomweb.dicom.uids import DEFLATED
from dicomweb.errors import NotFound
from dicomweb.transactions.frames import span_reader

Body = Iterator[bytes]

PIXEL_DATA_PATHS = ("7FE00010", "7FE00008", "7FE00009")
_CHUNK = 1024 * 1024  # bytes; a multiple of every word
_WORD = 8  # bytes of the longest word
_LOOK = 64 * 1024  # bytes in which item headers are looked for at once
_ITEM_HEADER = 8  # bytes


@dataclass(frozen=True, slots=True)
class Value:
    """A bulk value.

    Attributes:
        length: bytes.
        open: the bytes from a start on, so many of them.
    """

    length: int
    open: Callable[[int, int], Body]


def bulk_paths(archive: Archive, row: InstanceRow) -> dict[str, list[Any]]:
    """The bulk data of an instance by path: [VR, start, length, little endian, encapsulated]."""
    if row.bulk is not None:
        return row.bulk
    key = keys.bulk_object(row.study, row.series, row.fragment, row.instance)
    found: dict[str, list[Any]] = json.loads(archive.storage.read_gzip(key))
    return found


def find_bulk_data(archive: Archive, row: InstanceRow, path: str) -> Value:
    """A bulk value by its path in the metadata; numbers are in little endian.

    Raises:
        NotFound: the instance has no bulk data there.
    """
    bulk = bulk_paths(archive, row)
    if path.upper() not in bulk:
        raise NotFound(f"instance {row.instance} has no bulk data at {path}")
    vr, start, length, little, encapsulated = bulk[path.upper()]
    if encapsulated:
        return _fragments(archive, row, start, length)
    if little:
        return Value(length, lambda at, size: _open(archive, row, start + at, size))
    if path.upper() in PIXEL_DATA_PATHS:
        vr = word_vr((row.image or {}).get("bits_allocated", 0), str(vr))
    return _big_endian(archive, row, str(vr), start, length)


def _open(archive: Archive, row: InstanceRow, start: int, length: int) -> Body:
    if not length:
        return iter(())
    if row.transfer_syntax in DEFLATED:
        return iter([span_reader(archive, row)((start, length))])
    return archive.storage.open(row.object_key, start, length)


def _big_endian(archive: Archive, row: InstanceRow, vr: str, start: int, length: int) -> Value:
    def open_(at: int, size: int) -> Body:
        low = at - at % _WORD
        high = min(length, at + size + -(at + size) % _WORD)
        position = low
        for chunk in _in_chunks(_open(archive, row, start + low, high - low)):
            swapped = swap_bytes(chunk, vr)
            yield swapped[max(at - position, 0) : max(at + size - position, 0)]
            position += len(chunk)

    return Value(length, open_)


def _in_chunks(body: Body) -> Body:
    """The same bytes in chunks that no word lies across."""
    rest = b""
    for chunk in body:
        rest += chunk
        whole = len(rest) - len(rest) % _CHUNK
        if whole:
            yield rest[:whole]
            rest = rest[whole:]
    if rest:
        yield rest


def _fragments(archive: Archive, row: InstanceRow, start: int, length: int) -> Value:
    """An encapsulated value: its fragments without item headers, the offset table left out (PS3.18 §8.7.3.4)."""
    fragments = list(_find_fragments(span_reader(archive, row), start, start + length))[1:]
    total = sum(size for _, size in fragments)

    def open_(at: int, size: int) -> Body:
        return chain.from_iterable(_open(archive, row, *part) for part in _parts(fragments, at, size))

    return Value(total, open_)


def _find_fragments(read: Callable[[tuple[int, int]], bytes], start: int, end: int) -> Iterator[tuple[int, int]]:
    """(start, length) of each item of an encapsulated value (PS3.5 A.4)."""
    window, low = b"", start
    position = start
    while position + _ITEM_HEADER <= end:
        if not low <= position <= low + len(window) - _ITEM_HEADER:
            low = position
            window = read((low, min(_LOOK, end - low)))
        header = window[position - low : position - low + _ITEM_HEADER]
        if header[:4] != b"\xfe\xff\x00\xe0":
            return
        size = int.from_bytes(header[4:], "little")
        yield position + _ITEM_HEADER, size
        position += _ITEM_HEADER + size


def _parts(fragments: list[tuple[int, int]], at: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, length) of what a range of the joined fragments takes of each."""
    position = 0
    for start, length in fragments:
        first, last = max(at - position, 0), min(at + size - position, length)
        if first < last:
            yield start + first, last - first
        position += length
