import contextlib
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb.dicom.multipart import Part, new_boundary, read_parts, write_end, write_part
from dicomweb.errors import InvalidBody
from tests.builders import a_body

CONTENT = st.binary(max_size=200).filter(lambda content: b"\r\n--b" not in b"\r\n" + content)


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


@given(
    st.lists(
        st.binary(max_size=200).filter(lambda content: b"\r\n--b" not in b"\r\n" + content), min_size=1, max_size=5
    ),
    st.integers(1, 100),
)
def test_parts_come_out_as_they_went_in_however_the_body_is_cut(contents_: list[bytes], size: int) -> None:
    parts = parts_of(a_body(contents_, "b"), size=size)
    assert contents(parts) == contents_
    assert not any(part.fault for part in parts)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_nothing_makes_the_reader_fail_but_its_own_error(body: bytes, size: int) -> None:
    with contextlib.suppress(InvalidBody):
        parts_of(b"--b\r\n" + body, size=size)


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
