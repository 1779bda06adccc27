"""One part of a store request as it arrives: hashed on the way, in memory while small, in a temporary file when not."""

import hashlib
import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from dicomweb.dicom.elements import Bytes

_IN_MEMORY = 4 * 1024 * 1024  # bytes
_CHUNK = 1024 * 1024  # bytes


class Upload:
    """Bytes on their way into the archive; a spool for `dicom.multipart`."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 — closed by close()
        self._hash = hashlib.sha256()
        self._in_memory = True
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)
        self._in_memory = self._in_memory and self.size <= _IN_MEMORY

    @property
    def sha256(self) -> bytes:
        """The digest of all that was written."""
        return self._hash.digest()

    @property
    def file(self) -> IO[bytes]:
        """The bytes as a file."""
        return self._file

    def chunks(self, start: int) -> Iterator[bytes]:
        """The bytes from start."""
        while True:
            self._file.seek(start)
            if not (chunk := self._file.read(_CHUNK)):
                return
            start += len(chunk)
            yield chunk

    @contextmanager
    def view(self) -> Iterator[Bytes]:
        """The bytes for random access; a large file is mapped, not read."""
        if self._in_memory:
            self._file.seek(0)
            yield self._file.read()
            return
        self.move_to_disk()
        self._file.flush()
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped

    def move_to_disk(self) -> None:
        """Free the memory that the bytes take."""
        self._file.rollover()
        self._in_memory = False

    def close(self) -> None:
        self._file.close()
