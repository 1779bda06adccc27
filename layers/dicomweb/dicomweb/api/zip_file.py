"""A ZIP file that is written as it is sent (PS3.18 §8.7.3.2, Supplement 211)."""

import zipfile
from collections.abc import Iterable, Iterator


def zip_chunks(files: Iterable[tuple[str, Iterator[bytes]]]) -> Iterator[bytes]:
    """The bytes of a ZIP file; nothing in it is compressed, as images hardly are any smaller.

    Args:
        files: names and contents.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, content in files:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                for chunk in content:
                    file.write(chunk)
                    yield sink.take()
    yield sink.take()


class _Sink:
    """What zipfile writes to: it cannot go back, and keeps what was not taken yet."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, chunk: bytes) -> int:
        self._written += chunk
        return len(chunk)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken
