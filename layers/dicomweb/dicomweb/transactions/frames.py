"""Frames: as they are stored, or decoded, each by its byte range (PS3.18 §10.4.1.1.6)."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.frames import (
    SPAN_BYTES,
    NativeFrames,
    join_fragments,
    shift_bits,
    shortfall,
    swap_bytes,
    unpack_span,
    word_span,
    word_vr,
)  # fmt: skip
from dicomweb.dicom.part10 import inflate
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_BIG, NATIVE
from dicomweb.errors import BadRequest, NotFound
from dicomweb.pixels.decode import decode_frame
from dicomweb.pixels.image import ImagePixel

_BATCH = 1000  # frames whose places are looked up at once
_LONGEST_RUN = 4 * 1024 * 1024  # bytes of frames that are read at once
_IN_MEMORY = 4 * 1024 * 1024  # bytes of frames that wait for their turn
_LARGEST_GAP = 4096  # bytes between two of them that are read for nothing

Span = tuple[int, int]  # start, length; bytes of the file


def frame_count(row: InstanceRow) -> int:
    """How many frames can be read one by one; 0 for objects without pixel data, and for video."""
    return int(row.frames.rpartition(":")[2]) if row.frames else 0


def read_frames(archive: Archive, row: InstanceRow, numbers: range | list[int]) -> Iterator[bytes]:
    """Frames as they are stored: native pixels in little endian, or the bitstream of an encapsulated frame.

    Raises:
        BadRequest, NotFound: see check_numbers.
    """
    check_numbers(row, numbers)
    return _frames(archive, row, numbers)


def check_numbers(row: InstanceRow, numbers: range | list[int]) -> None:
    """Whether an instance has these frames.

    Raises:
        BadRequest: numbers below 1.
        NotFound: the instance has no frames, or fewer.
    """
    count = frame_count(row)
    for number in numbers if isinstance(numbers, list) else ():
        if number < 1:
            raise BadRequest(f"frame {number}: frames are counted from 1")
    if not count or max(numbers) > count:
        has = f"{count or 'no'} frames that can be read one by one{'' if count else _why_none(row)}"
        raise NotFound(f"frame {max(numbers, default=1)}: instance {row.instance} has {has}")


def _why_none(row: InstanceRow) -> str:
    image, (_, _, length, *_) = row.image or {}, (row.bulk or {}).get("7FE00010", (None,) * 3)
    if "fault" in image:
        return f": {image['fault']}"
    if not image or length is None or row.transfer_syntax not in NATIVE:
        return ""
    described = ImagePixel(**image)
    missing = shortfall(described.native_frame_bits, described.frame_count, length)
    return f": {missing}" if missing else ""


def reordered(contents: Iterator[bytes], distinct: range | list[int], numbers: range | list[int]) -> Iterator[bytes]:
    """Frames in the order of numbers, each as often as it is there; the last one is made before the first is given.

    Args:
        contents: of the distinct numbers, in their order; on disk where they are more than a few.
    """
    spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 — closed when nobody takes frames any more
    places: dict[int, Span] = {}
    for number, content in zip(distinct, contents, strict=True):
        places[number] = (spool.tell(), len(content))
        spool.write(content)
    return _from_spool(spool, (places[number] for number in numbers))


def _from_spool(spool: IO[bytes], spans: Iterable[Span]) -> Iterator[bytes]:
    with spool:
        for start, length in spans:
            spool.seek(start)
            yield spool.read(length)


def decode_frames(frames: Iterator[bytes], image: ImagePixel) -> Iterator[bytes]:
    """Frames as pixels: native, little endian, colour by pixel.

    Raises:
        CannotTranscode: a frame is broken, or in what cannot be decoded.
    """
    for frame in frames:
        pixels, _ = decode_frame(frame, image)
        yield pixels.tobytes()


def _frames(archive: Archive, row: InstanceRow, numbers: range | list[int]) -> Iterator[bytes]:
    read_span = span_reader(archive, row)
    wanted = iter(numbers)
    while batch := list(islice(wanted, _BATCH)):
        if row.frames.startswith("native:"):
            yield from _native(archive, read_span, row, batch)
        else:
            for span in _read_spans(archive, read_span, _encapsulated_spans(archive, row, batch)):
                yield join_fragments(span)


def _native(
    archive: Archive, read_span: Callable[[Span], bytes], row: InstanceRow, numbers: list[int]
) -> Iterator[bytes]:
    _, vr, *fields = row.frames.split(":")
    frames = NativeFrames(vr, *map(int, fields))
    is_big = row.transfer_syntax == EXPLICIT_BIG
    words = word_vr((row.image or {}).get("bits_allocated", 0), vr)
    places = [frames.span(number) for number in numbers]
    spans = [word_span(start, size, frames.start) if is_big else (start, size) for start, size, _ in places]
    contents = _read_spans(archive, read_span, spans)
    for (start, size, skip), (low, _), content in zip(places, spans, contents, strict=True):
        frame = swap_bytes(content, words)[start - low : start - low + size] if is_big else content
        yield shift_bits(frame, skip, frames.frame_bits)


def _encapsulated_spans(archive: Archive, row: InstanceRow, numbers: list[int]) -> list[Span]:
    first, last = min(numbers), max(numbers)
    at, length = (first - 1) * SPAN_BYTES, (last - first + 1) * SPAN_BYTES
    if row.frame_table:
        table = row.frame_table[at : at + length]
    else:
        key = keys.frames_object(row.study, row.series, row.fragment, row.instance)
        table = archive.storage.read_range(key, at, length)
    return [unpack_span(table[(n - first) * SPAN_BYTES : (n - first + 1) * SPAN_BYTES]) for n in numbers]


def _read_spans(archive: Archive, read_span: Callable[[Span], bytes], spans: list[Span]) -> Iterator[bytes]:
    """The bytes of each span; neighbours are read together."""
    runs = list(_runs(spans))
    whole = (_around(run) for run in runs)
    for run, content in zip(runs, archive.storage.map_ahead(read_span, whole, 2), strict=True):
        base = run[0][0]
        for start, length in run:
            yield content[start - base : start - base + length]


def _runs(spans: list[Span]) -> Iterator[list[Span]]:
    run: list[Span] = []
    for start, length in spans:
        if run:
            end = run[-1][0] + run[-1][1]
            if not 0 <= start - end <= _LARGEST_GAP or start + length - run[0][0] > _LONGEST_RUN:
                yield run
                run = []
        run.append((start, length))
    if run:
        yield run


def _around(run: list[Span]) -> Span:
    return run[0][0], run[-1][0] + run[-1][1] - run[0][0]


def span_reader(archive: Archive, row: InstanceRow) -> Callable[[Span], bytes]:
    """How bytes of an instance's data set are read by their place."""
    key = row.object_key
    if row.transfer_syntax in DEFLATED:
        # Places are those of the inflated file: it has to be inflated as a whole, once.
        content = inflate(archive.storage.read_bytes(key))
        return lambda span: content[span[0] : span[0] + span[1]]
    return lambda span: archive.storage.read_range(key, *span)
