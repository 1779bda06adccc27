"""multipart/related, read as it arrives and written as it goes (PS3.18 §8.6.1.2.1, RFC 2046 §5.1, RFC 2387). Pure.

A part's Content-Length is honoured: a boundary inside pixel data ends nothing. When the length proves wrong, the part
is reported as bad and reading goes on at the next boundary, so that no part is lost in silence.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Generic, Protocol, TypeVar

from dicomweb.errors import InvalidBody

MAX_BOUNDARY = 200  # characters; RFC 2046 §5.1.1 has 70, Orthanc sends 73
_MAX_HEADERS = 16 * 1024  # bytes of one part's headers
_EMPTY_LINE = b"\r\n\r\n"
_MAX_PARTS = 100_000
_CHUNK = 64 * 1024  # bytes that are looked at together


class Spool(Protocol):
    """Where a part's content is put while it arrives."""

    def write(self, chunk: bytes, /) -> object: ...
    def chunks(self, start: int, /) -> Iterator[bytes]: ...


SpoolT = TypeVar("SpoolT", bound=Spool)


@dataclass(slots=True)
class Part(Generic[SpoolT]):
    """One part; `fault` says why its content is not what was meant, "" when it is whole."""

    headers: dict[str, str]
    content: SpoolT
    fault: str = ""


def read_parts(chunks: Iterable[bytes], boundary: str, open_spool: Callable[[], SpoolT]) -> Iterator[Part[SpoolT]]:
    """The parts of a body, each when it is complete.

    Raises:
        InvalidBody: before the first part, when there is none: empty, another boundary, or LF line ends.
    """
    return _Reader(chunks, boundary).parts(open_spool)


def new_boundary() -> str:
    """Long and random: it will not occur in pixel data."""
    return secrets.token_hex(24)


def write_part(boundary: str, headers: dict[str, str]) -> bytes:
    """What goes before the content of a part."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"\r\n--{boundary}\r\n{lines}\r\n".encode()


def write_end(boundary: str) -> bytes:
    """What goes after the last part."""
    return f"\r\n--{boundary}--\r\n".encode()


def _small(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A body may come in one piece: cutting thousands of parts from it must not copy the rest each time."""
    for chunk in chunks:
        for start in range(0, len(chunk), _CHUNK):
            yield chunk[start : start + _CHUNK]


class _Reader:
    def __init__(self, chunks: Iterable[bytes], boundary: str) -> None:
        self._chunks = _small(chunks)
        self._delimiter = b"\r\n--" + boundary.encode()
        self._buffer = b""
        self._trusts_lengths = True

    def parts(self, open_spool: Callable[[], SpoolT]) -> Iterator[Part[SpoolT]]:
        self._skip_preamble()
        for _ in range(_MAX_PARTS):
            if not self._fill(2):
                yield Part({}, open_spool(), "the body ends after a boundary: a part or the closing -- is missing")
                return
            if self._buffer[:2] == b"--":
                return  # the rest is epilogue (RFC 2046 §5.1.1)
            headers, fault = self._headers()
            part = Part(headers, open_spool(), fault)
            complete = not fault and self._content(part)
            if fault:
                complete = self._until_delimiter(part.content)
            yield part
            if not complete:
                return
        yield Part({}, open_spool(), f"the body has more than {_MAX_PARTS} parts; the rest was not read")

    def _skip_preamble(self) -> None:
        # The first delimiter may stand at the very start, without its CRLF.
        self._buffer = b"\r\n"
        seen = b""
        while (at := self._buffer.find(self._delimiter)) < 0:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise InvalidBody(self._no_delimiter(seen))
            seen = (seen + chunk)[:200]
            self._buffer = self._buffer[-len(self._delimiter) :] + chunk
        self._buffer = self._buffer[at + len(self._delimiter) :]

    def _no_delimiter(self, seen: bytes) -> str:
        expected = self._delimiter[2:].decode()
        if not seen:
            return f"the body is empty; expected parts, each after a line {expected}"
        if seen.lstrip().startswith(b"--"):
            first_line = seen.lstrip().splitlines()[0].decode("ascii", "replace")
            return (
                f"the body starts with the line {first_line!r}; the boundary of its Content-Type asks for {expected!r}"
            )
        return f"the body has no line {expected!r}, the boundary of its Content-Type"

    def _headers(self) -> tuple[dict[str, str], str]:
        """Headers up to the empty line, whose CRLF is left, and what is wrong with them."""
        while (end := self._buffer.find(_EMPTY_LINE, 0, _MAX_HEADERS)) < 0:
            if len(self._buffer) >= _MAX_HEADERS or not self._more():
                break
        if self._buffer.find(self._delimiter, 0, _MAX_HEADERS if end < 0 else end) >= 0:
            return {}, "a boundary comes before the empty line that ends its headers, or lines do not end in CRLF"
        if end < 0 and len(self._buffer) >= _MAX_HEADERS:
            return {}, f"the headers of the part are longer than {_MAX_HEADERS} bytes, or lines do not end in CRLF"
        if end < 0:
            return {}, "the body ends in the headers of the part, or lines do not end in CRLF"
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        if lines[0].strip(" \t"):  # white space may follow a boundary (RFC 2046 §5.1.1)
            return {}, f"the boundary is followed by {lines[0][:40]!r}; expected CRLF"
        self._buffer = self._buffer[end + 2 :]
        pairs = (line.partition(":") for line in lines[1:])
        return {name.strip().lower(): value.strip() for name, _, value in pairs}, ""

    def _content(self, part: Part[SpoolT]) -> bool:
        """Read a part's content into its spool; False when the body ended inside it."""
        length = part.headers.get("content-length") if self._trusts_lengths else None
        # A part may have no content and no line for it: the CRLF is that of the next boundary (RFC 2046 §5.1.1).
        if length is None and self._take_delimiter():
            return True
        self._buffer = self._buffer[2:]
        if length is None:
            if self._until_delimiter(part.content):
                return True
            part.fault = "the body ends inside the part: truncated"
            return False
        if not length.isdecimal() or len(length) > 15:
            part.fault = f"Content-Length is {length[:40]!r}, expected a number of bytes"
            return self._until_delimiter(part.content)
        arrived = self._exactly(int(length), part.content)
        if arrived == int(length) and self._take_delimiter():
            return True
        part.fault = f"Content-Length is {length}, but no boundary follows after that many bytes"
        # The length was wrong, or the body is cut: what follows the next boundary in what was read is still to be read.
        # A body that was wrong once is read by its boundaries alone: nothing is read a third time.
        self._trusts_lengths = False
        self._chunks = chain([b"\r\n"], _small(part.content.chunks(0)), [self._buffer], self._chunks)
        self._buffer = b""
        return self._until_delimiter(None)

    def _until_delimiter(self, spool: Spool | None) -> bool:
        keep = len(self._delimiter) - 1
        while (at := self._buffer.find(self._delimiter)) < 0:
            # A boundary may be cut in two by the end of a chunk: that much is kept.
            if spool:
                spool.write(self._buffer[:-keep])
            self._buffer = self._buffer[-keep:]
            if not self._more():
                if spool:
                    spool.write(self._buffer)
                return False
        if spool:
            spool.write(self._buffer[:at])
        self._buffer = self._buffer[at + len(self._delimiter) :]
        return True

    def _exactly(self, length: int, spool: Spool) -> int:
        arrived = 0
        while arrived < length:
            if not self._buffer and not self._more():
                break
            taken = self._buffer[: length - arrived]
            self._buffer = self._buffer[len(taken) :]
            arrived += len(taken)
            spool.write(taken)
        return arrived

    def _take_delimiter(self) -> bool:
        if not self._fill(len(self._delimiter)) or not self._buffer.startswith(self._delimiter):
            return False
        self._buffer = self._buffer[len(self._delimiter) :]
        return True

    def _fill(self, length: int) -> bool:
        while len(self._buffer) < length:
            if not self._more():
                return False
        return True

    def _more(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._buffer += chunk
        return True
