"""A connection that ends when the other side sends too slowly to ever be done."""

import time
from ssl import SSLContext
from typing import Any

import httpcore

_PATIENCE_S = 60  # seconds of waiting for bytes, after the first one, in which any pace will do
_SLOWEST = 1024  # bytes a second, on average, after that


class Paced(httpcore.NetworkStream):
    """A stream that is watched while an answer comes; what its reader does between two reads does not count."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._restart()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises ReadTimeout."""
        started = time.monotonic()
        received = self._stream.read(max_bytes, timeout)
        if self._received:  # before the first byte the other side is at work
            self._waited_s += time.monotonic() - started
        self._received += len(received)
        if self._waited_s > _PATIENCE_S and self._received < _SLOWEST * self._waited_s:
            raise httpcore.ReadTimeout(f"{self._received} bytes in {self._waited_s:.0f} s")
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Begins another exchange."""
        self._restart()
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return Paced(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _restart(self) -> None:
        self._received, self._waited_s = 0, 0.0
