"""Segmented Palette Color Lookup Tables (PS3.3 C.7.9.2). Pure."""

from collections.abc import Iterator, Sequence
from itertools import islice

_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2  # segment types

Segment = tuple[int, int, Sequence[int]]  # type, length, contents


def expand_segments(content: bytes, bits: int, count: int) -> list[int]:
    """The first entries of a table; no more of it is expanded, whatever its segments say.

    Args:
        content: little endian.
        bits: of an entry; up to 8 are bytes, more are words.
        count: how many entries are wanted.
    Raises:
        ValueError: it is broken, or has fewer entries.
    """
    width = 1 if bits <= 8 else 2
    items = memoryview(content).cast("B") if width == 1 else memoryview(content[: len(content) // 2 * 2]).cast("H")
    entries: list[int] = []
    for kind, length, contents in _without_references(items, width):
        entries += _expanded(kind, length, contents, entries)
        if len(entries) >= count:
            return entries[:count]
    raise ValueError(f"its segments have {len(entries)} entries, expected {count}")


def _without_references(items: Sequence[int], width: int) -> Iterator[Segment]:
    for kind, length, contents in _segments(items, 0, width):
        if kind == _INDIRECT:
            start = sum(item << 8 * width * place for place, item in enumerate(contents))  # bytes
            yield from islice(_segments(items, start // width, width), length)
        else:
            yield kind, length, contents


def _segments(items: Sequence[int], at: int, width: int) -> Iterator[Segment]:
    while at + 1 < len(items):  # one item is padding
        kind, length = items[at], items[at + 1]
        size = length if kind == _DISCRETE else 1 if kind == _LINEAR else 4 // width
        yield kind, length, items[at + 2 : at + 2 + size]
        at += 2 + size


def _expanded(kind: int, length: int, contents: Sequence[int], before: list[int]) -> Sequence[int]:
    if not length or not contents:
        raise ValueError("a segment is empty")
    if kind == _DISCRETE and len(contents) == length:
        return contents
    if kind == _LINEAR and before:
        low, high = before[-1], contents[0]
        return [round(low + (high - low) * step / length) for step in range(1, length + 1)]
    raise ValueError(f"a segment of type {kind} cannot stand where it does")
