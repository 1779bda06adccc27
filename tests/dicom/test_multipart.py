import time
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import chain, cycle, islice, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb.dicom import multipart
from dicomweb.dicom.multipart import Part, new_boundary, read_parts, write_end, write_part
from dicomweb.errors import InvalidBody
from tests.builders import a_body

DELIMITER = b"\r\n--b"
CONTENT = st.binary(max_size=200).filter(lambda content: DELIMITER not in b"\r\n" + content)
# What bodies are made of: line ends, boundaries and lengths where they belong and where they do not.
WORDS = [
    DELIMITER, DELIMITER, DELIMITER + b"--", b"--b", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"-", b" ", b"\0",
    b"Content-Type: text/plain", b"X:", b"abc", b"y" * 70,
]  # fmt: skip
LENGTHS = [b"\r\nContent-Length: " + length for length in (b"0", b"3", b"4", b"30", b"99", b"-1", b"x", b"9" * 400)]


def bodies(words: list[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(words) | st.binary(max_size=3), max_size=30).map(
        lambda each: b"--b" + b"".join(each)
    )


@st.composite
def spoiled_bodies(draw: st.DrawFn) -> bytes:
    """What was a body before some bytes of it were taken, put in, or put in the place of others."""
    body = a_body(draw(st.lists(CONTENT, max_size=4)), "b", f"Content-Length: {draw(st.integers(0, 200))}")
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=5)) + body[at + draw(st.integers(0, 20)) :]
    return body


BODIES = bodies(WORDS) | bodies(WORDS + LENGTHS) | spoiled_bodies() | st.binary(max_size=400)


class Memory:
    """A spool in memory."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, chunk: bytes) -> None:
        self.content += chunk

    def chunks(self, start: int) -> Iterator[bytes]:
        yield self.content[start:]


def parts_of(body: bytes, boundary: str = "b", size: int = 7) -> list[Part[Memory]]:
    chunks = (body[at : at + size] for at in range(0, len(body), size))
    return list(read_parts(chunks, boundary, Memory))


def contents(parts: list[Part[Memory]]) -> list[bytes]:
    return [part.content.content for part in parts]


def told(chunks: Iterable[bytes]) -> object:
    """All that the reader says of a body; headers of more than 64 bytes are too long for it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(multipart, "_MAX_HEADERS", 64)
        try:
            return [(part.headers, part.content.content, part.fault) for part in read_parts(chunks, "b", Memory)]
        except InvalidBody as error:
            return str(error)


def cut(body: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        if start >= len(body):
            return
        yield body[start : start + size]
        start += size


@given(st.lists(CONTENT, min_size=1, max_size=5), st.integers(1, 100))
def test_parts_come_out_as_they_went_in_however_the_body_is_cut(contents_: list[bytes], size: int) -> None:
    parts = parts_of(a_body(contents_, "b"), size=size)
    assert contents(parts) == contents_
    assert not any(part.fault for part in parts)


@given(st.lists(st.binary(max_size=60) | bodies(WORDS), min_size=1, max_size=5), st.integers(1, 100))
def test_parts_with_right_lengths_may_hold_anything(contents_: list[bytes], size: int) -> None:
    body = b"".join(a_body([each], "b", f"Content-Length: {len(each)}")[: -len(b"--b--\r\n")] for each in contents_)
    parts = parts_of(body + b"--b--", size=size)
    assert contents(parts) == contents_
    assert not any(part.fault for part in parts)


@settings(max_examples=300, deadline=2000)
@given(BODIES, st.lists(st.integers(0, 40), min_size=1).filter(any))
def test_what_is_read_does_not_depend_on_how_the_body_is_cut(body: bytes, sizes: list[int]) -> None:
    whole = told([body])
    assert told(cut(body, repeat(1))) == whole
    assert told(cut(body, cycle(sizes))) == whole


@settings(max_examples=300)
@given(bodies(WORDS))
def test_there_is_a_part_for_every_boundary(body: bytes) -> None:
    """Without lengths a body is what stands between its boundaries (RFC 2046 §5.1.1)."""
    between, is_closed = list[bytes](), False
    for section in (b"\r\n" + body).split(DELIMITER)[1:]:
        if is_closed := section.startswith(b"--"):
            break
        between.append(section)
    parts = parts_of(body)
    assert len(parts) == len(between)
    for number, (part, section) in enumerate(zip(parts, between, strict=True), 1):
        is_cut = number == len(between) and not is_closed
        # Where a part has no content, the line end before the next boundary may be that of its empty line.
        head, empty, content = (section + b"\r\n").partition(b"\r\n\r\n")
        if not empty or is_cut or head.partition(b"\r\n")[0].strip(b" \t"):
            assert part.fault
        else:
            assert (part.content.content, part.fault) == (content.removesuffix(b"\r\n"), "")


class Nowhere:
    """A spool that keeps nothing but how much it was given."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def chunks(self, start: int) -> Iterator[bytes]:
        return repeat(b"x" * 1000, (self.size - start) // 1000)


@pytest.mark.parametrize("in_one_piece", [False, True])
@pytest.mark.parametrize(
    ("head", "filler"),
    [
        (b"", b"preamble, or another boundary\r\n--c"),
        (b"--b\r\n", b"X: y\r\n"),  # headers without an end
        (b"--b", b" "),
        (b"--b\r\nContent-Type: x\n\n", b"LF alone\n"),
        (b"--b\r\n\r\n", b"\r\n--"),  # as if a boundary came at last
        (b"--b\r\nContent-Length: 999999999999\r\n\r\n", b"a length that is never reached"),
        (b"--b\r\nContent-Length: 5\r\n\r\n", b"a length that is wrong"),
    ],
)
def test_memory_is_flat_whatever_comes(head: bytes, filler: bytes, in_one_piece: bool) -> None:
    chunk = filler * (4096 // len(filler))
    pieces = [head + chunk * 1000] if in_one_piece else chain([head], islice(repeat(chunk), 1000))
    tracemalloc.start()
    try:
        for _ in read_parts(pieces, "b", Nowhere):
            pass
    except InvalidBody:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 512 * 1024


def test_what_is_written_is_read() -> None:
    boundary = new_boundary()
    body = write_part(boundary, {"Content-Type": "text/plain"}) + b"hello" + write_end(boundary)
    (part,) = parts_of(body, boundary)
    assert (part.headers, part.content.content) == ({"content-type": "text/plain"}, b"hello")


def test_a_boundary_inside_a_part_with_a_length_ends_nothing() -> None:
    inside = b"pixels\r\n--b\r\nmore"
    body = a_body([inside], "b", f"Content-Length: {len(inside)}")
    assert contents(parts_of(body)) == [inside]


@pytest.mark.parametrize("length", [3, 7, 12, 60, 10_000])
def test_a_wrong_length_is_said_and_the_next_part_is_not_lost(length: int) -> None:
    body = a_body([b"0123456789"], "b", f"Content-Length: {length}")[: -len("--b--\r\n")] + a_body([b"next"], "b")
    first, second = parts_of(body)
    assert "no boundary follows" in first.fault
    assert (second.content.content, second.fault) == (b"next", "")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b"--other\r\n\r\nx\r\n--other--", "starts with the line '--other'"),
        (b"no multipart at all", "has no line '--b'"),
    ],
)
def test_a_body_without_parts_is_an_error_that_teaches(body: bytes, says: str) -> None:
    with pytest.raises(InvalidBody, match=says):
        parts_of(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"--b\nContent-Type: application/dicom\n\nx\n--b--\n", "CRLF"),
        (b"--b\r\nContent-Type: x", "ends in the headers"),
        (b"--b\r\n\r\nabc", "truncated"),
        (b"--b\r\n\r\nabc\r\n--b", "closing -- is missing"),
        (b"--b\r\nContent-Length: x\r\n\r\nabc\r\n--b--", "Content-Length is 'x'"),
        (b"--b\r\n" + b"X: y\r\n" * 5000 + b"\r\nabc\r\n--b--", "headers of the part are longer"),
        (b"--b\r\nX: y\r\nabc\r\n--b--", "before the empty line that ends its headers"),
    ],
)
def test_a_bad_part_says_what_is_wrong_with_it(body: bytes, says: str) -> None:
    assert says in parts_of(body)[-1].fault


def test_preamble_epilogue_and_space_after_a_boundary_are_ignored() -> None:
    body = b"preamble\r\n--b  \r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n"
    assert contents(parts_of(body)) == [b"x"]


def test_many_parts_with_wrong_lengths_are_read_in_linear_time() -> None:
    body = b"--b\r\nContent-Length: 1\r\n\r\n\r\n" * 90_000 + b"--b--"
    started = time.perf_counter()
    assert len(parts_of(body, size=len(body))) == 90_000
    assert time.perf_counter() - started < 20


def test_there_is_a_most_of_parts() -> None:
    body = b"--b\r\n\r\n\r\n" * 100_002 + b"--b--"
    assert "more than 100000 parts" in parts_of(body, size=len(body))[-1].fault


def test_a_length_of_thousands_of_digits_is_a_fault() -> None:
    (part,) = parts_of(b"--b\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx\r\n--b--")
    assert "expected a number of bytes" in part.fault
