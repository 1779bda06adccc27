"""An object of S3 written as it comes: in one piece while it is small, else in parts that go up side by side."""

from concurrent.futures import Future
from typing import TYPE_CHECKING

from dicomweb.archive.multipart_upload import MultipartUpload

if TYPE_CHECKING:
    from dicomweb.archive.storage import Storage

PART = 8 * 1024 * 1024  # bytes; S3 takes parts from 5 MiB on, and 10,000 of them
_LARGER_PART = 64 * 1024 * 1024  # from part 1,000 on: an object may have 5 TiB
_IN_FLIGHT = 3  # parts on their way: with the one being filled, what is held in memory


class ObjectWriter:
    """Write, then finish or abort. Nothing is at the key before it is finished."""

    def __init__(self, storage: "Storage", key: str, content_type: str, content_encoding: str = "") -> None:
        self._storage = storage
        self.key = key
        self._content_type = content_type
        self._content_encoding = content_encoding
        self._buffer = bytearray()
        self._upload: MultipartUpload | None = None
        self._parts: list[Future[str]] = []
        self.size = 0

    def write(self, chunk: bytes | bytearray) -> None:
        self._buffer += chunk
        self.size += len(chunk)
        if len(self._buffer) >= (PART if len(self._parts) < 1000 else _LARGER_PART):
            self._send()

    def finish(self) -> None:
        """Make an object of what was written."""
        if not self._upload:
            self._storage.write(self.key, bytes(self._buffer), self._content_type, self._content_encoding)
            return
        try:
            if self._buffer:
                self._send()
            etags = [part.result() for part in self._parts]
            self._upload.finish(etags, {})
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Leave nothing behind."""
        self._buffer.clear()
        if self._upload:
            for part in self._parts:
                part.cancel()
                if not part.cancelled():
                    part.exception()
            self._upload.abort()
            self._upload = None

    def _send(self) -> None:
        if not self._upload:
            self._upload = self._storage.start_upload(
                self.key, self._content_type, content_encoding=self._content_encoding
            )
        under_way = [part for part in self._parts if not part.done()]
        if len(under_way) >= _IN_FLIGHT:
            under_way[0].result()
        content, self._buffer = self._buffer, bytearray()
        number = len(self._parts) + 1
        self._parts.append(self._storage.submit(self._upload.send, number, content))
