"""A connection that ends when the other side sends, or takes, too slowly to ever be done."""

import time
from ssl import SSLContext
from typing import Any

import httpcore

_SLOWEST = 1024  # bytes a second, on average, once the waiting is longer than the timeout
_AT_ONCE = 16 * 1024  # bytes that are sent before it is looked at the time


class Paced(httpcore.NetworkStream):
    """A stream that is watched; what happens between two reads or two writes does not count.

    A timeout is of one wait for bytes, and of all of them together as long as they are too few.
    """

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._sent, self._received = _Pace(), _Pace()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises ReadTimeout."""
        started = time.monotonic()
        received = self._stream.read(max_bytes, timeout)
        # Before the first byte the other side is at work.
        self._received.count(len(received), time.monotonic() - started if self._received.size else 0)
        if self._received.is_hopeless(timeout):
            raise httpcore.ReadTimeout(str(self._received))
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Begins another exchange, where an answer was read before. Raises WriteTimeout."""
        if self._received.size:
            self._sent, self._received = _Pace(), _Pace()
        for start in range(0, len(buffer), _AT_ONCE):
            started = time.monotonic()
            piece = buffer[start : start + _AT_ONCE]
            self._stream.write(piece, timeout)
            self._sent.count(len(piece), time.monotonic() - started)
            if self._sent.is_hopeless(timeout):
                raise httpcore.WriteTimeout(str(self._sent))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return Paced(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Pace:
    """Bytes, and seconds that were waited for them."""

    def __init__(self) -> None:
        self.size, self.waited_s = 0, 0.0

    def count(self, size: int, waited_s: float) -> None:
        self.size += size
        self.waited_s += waited_s

    def is_hopeless(self, timeout: float | None) -> bool:
        return timeout is not None and self.waited_s > timeout and self.size < _SLOWEST * self.waited_s

    def __str__(self) -> str:
        return f"{self.size} bytes in {self.waited_s:.0f} s"
