"""A folder of retrieved files: {study}/{series}/{instance}.dcm, each whole or not there."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CannotWrite
from cli.sources import Identified, Source, Unreadable, identify

_CHUNK = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True, order=True)
class Instance:
    """What becomes the name of a file: UIDs that were checked, nothing else."""

    study: str
    series: str
    instance: str

    @property
    def path(self) -> str:
        return f"{self.study}/{self.series}/{self.instance}.dcm"


class Incoming:
    """A file on its way; a spool for `dicom.multipart`. Its name is a hidden one until it is whole."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f".dicomweb-{secrets.token_hex(8)}.part"
        self.size = 0
        with _writing(folder):
            self._file = self.path.open("x+b")

    def write(self, chunk: bytes) -> None:
        with _writing(self.path.parent):
            self._file.write(chunk)
        self.size += len(chunk)

    def chunks(self, start: int) -> Iterator[bytes]:
        """The bytes from start."""
        while True:
            self._file.seek(start)
            if not (chunk := self._file.read(_CHUNK)):
                return
            start += len(chunk)
            yield chunk

    def close(self) -> None:
        with _writing(self.path.parent):
            self._file.close()

    def discard(self) -> None:
        with suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


class Folder:
    """Where retrieved files go; threads may share it."""

    def __init__(self, root: Path) -> None:
        """Raises CannotWrite."""
        self._root = root
        with _writing(root):
            root.mkdir(parents=True, exist_ok=True)

    def has(self, instance: Instance) -> bool:
        """Whether the file is there, and holds what its name says."""
        path = self._root / instance.path
        return path.is_file() and _instance_of(path) == instance

    @contextmanager
    def incoming(self) -> Iterator["list[Incoming]"]:
        """Gets the files that are opened; those that were not taken are gone afterwards."""
        opened: list[Incoming] = []
        try:
            yield opened
        finally:
            for each in opened:
                each.discard()

    def open(self, opened: "list[Incoming]") -> Incoming:
        """Raises CannotWrite."""
        opened.append(Incoming(self._root))
        return opened[-1]

    def take(self, incoming: Incoming, study: str) -> Instance | None:
        """Give a whole file its name; None where it is no DICOM file of the study.

        Raises:
            CannotWrite
        """
        incoming.close()
        instance = _instance_of(incoming.path)
        if instance is None or instance.study != study:
            return None
        target = self._root / instance.path
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            incoming.path.replace(target)
        return instance


def _instance_of(path: Path) -> Instance | None:
    try:
        found = identify(Source(str(path), path.stat().st_size))
    except (Unreadable, OSError):
        return None
    if not isinstance(found, Identified) or not found.instance:
        return None
    return Instance(found.study, found.series, found.instance)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotWrite(f"{path}: cannot be written: {error.strerror or error}") from error
