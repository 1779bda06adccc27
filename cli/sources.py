"""Files to store: found in folders and ZIP files, and identified by their first elements (PS3.10 §7)."""

import io
import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from pydicom.filereader import read_dataset

from dicomweb.dicom.part10 import INSTANCE, SERIES, STUDY, read_meta, uid_of
from dicomweb.dicom.uids import DEFLATED, EXPLICIT_LITTLE, encoding_of, is_uid
from dicomweb.errors import InvalidDicom

_HEAD = 64 * 1024  # bytes; File Meta Information is shorter
_INFLATED = 1024 * 1024  # bytes of a deflated data set that are looked at
_PREFIX = slice(128, 132)
_ZIP = b"PK\3\4"
_DIRECTORY_NAME = "DICOMDIR"
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage
_LAST_TAG = 0x0020000E  # Series Instance UID: nothing behind it is read
_UIDS = {name: int(name, 16) for name in (STUDY, SERIES, INSTANCE)}
# What zipfile raises for members that are broken, encrypted, or compressed in a way that it does not know.
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError, OSError)
NO_DICOM = "no DICOM file: expected DICM at byte 128"
DIRECTORY = "DICOMDIR"


class Unreadable(Exception):
    """A file that cannot be read, or not to its end."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a member of a ZIP file."""

    path: str
    size: int
    member: str = ""

    @property
    def name(self) -> str:
        return f"{self.path}!/{self.member}" if self.member else self.path

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Raises Unreadable, also while it is read."""
        try:
            with _zip_file(self.path).open(self.member) if self.member else Path(self.path).open("rb") as file:
                yield file
        except _ZIP_FAULTS as error:
            raise Unreadable(_fault(error)) from error


@dataclass(frozen=True, slots=True)
class Identified:
    """A DICOM file; UIDs are "" where they could not be read: the server will say why."""

    source: Source
    study: str = ""
    series: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is not to be stored, and why: NO_DICOM or DIRECTORY."""

    source: Source
    why: str


def walk(paths: Iterable[Path], on_fault: Callable[[str, str], None]) -> Iterator[Source]:
    """Every file in folders, and in the ZIP files among them; in the order of their names.

    Args:
        on_fault: gets the path of what cannot be read, and why.
    """
    for path in paths:
        if path.is_dir():
            for folder, folders, files in os.walk(
                path, onerror=lambda error: on_fault(str(error.filename), str(error))
            ):
                folders.sort()
                for name in sorted(files):
                    yield from _sources(os.path.join(folder, name), on_fault)  # noqa: PTH118 — a million of them
        else:
            yield from _sources(str(path), on_fault)


def _sources(path: str, on_fault: Callable[[str, str], None]) -> Iterator[Source]:
    try:
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            return
        with open(path, "rb") as file:  # noqa: PTH123
            head = file.read(_PREFIX.stop)
        if not head.startswith(_ZIP) or head[_PREFIX] == b"DICM":
            yield Source(path, status.st_size)
            return
        members = _zip_file(path).infolist()
    except _ZIP_FAULTS as error:
        on_fault(path, _fault(error))
        return
    yield from (Source(path, each.file_size, each.filename) for each in members if not each.is_dir())


def identify(source: Source) -> Identified | Skipped:
    """What a file is, by its first elements.

    Raises:
        Unreadable
    """
    if source.name.replace("!/", "/").rpartition("/")[2].upper() == _DIRECTORY_NAME:
        return Skipped(source, DIRECTORY)
    with source.open() as file:
        head = file.read(_HEAD)
        if head[_PREFIX] != b"DICM":
            return Skipped(source, NO_DICOM)
        try:
            elements, start = read_meta(head)
        except InvalidDicom:
            return Identified(source)
        meta = {element.tag: uid_of(head, element) for element in elements if element.vr == "UI"}
        if meta.get(0x00020002) == _DIRECTORY_CLASS:
            return Skipped(source, DIRECTORY)
        transfer_syntax = meta.get(0x00020010, EXPLICIT_LITTLE)
        try:
            if transfer_syntax in DEFLATED:
                inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head[start:], _INFLATED)
                return _identified(source, io.BytesIO(inflated), transfer_syntax)
            file.seek(start)
            return _identified(source, file, transfer_syntax)
        except zlib.error:
            return Identified(source)


def _identified(source: Source, data_set: IO[bytes], transfer_syntax: str) -> Identified:
    encoding = encoding_of(transfer_syntax)
    try:
        ds = read_dataset(
            cast(BinaryIO, data_set),
            not encoding.explicit,
            encoding.little,
            stop_when=lambda tag, *_: tag > _LAST_TAG,
            specific_tags=list(_UIDS.values()),
        )
        # Raw elements: nothing of them is converted, nor warned about.
        raw = {name: ds.get_item(tag).value for name, tag in _UIDS.items() if tag in ds}
    except OSError:
        raise
    except Exception:  # noqa: BLE001 — pydicom has no error of its own for what is broken; the server names the fault
        return Identified(source)
    texts = {
        name: bytes(cast(bytes, value or b"")).decode("ascii", "replace").strip("\0 ") for name, value in raw.items()
    }
    uids = {name: texts.get(name, "") for name in _UIDS}
    return Identified(source, *uids.values()) if all(map(is_uid, uids.values())) else Identified(source)


class _Opened(threading.local):
    """The ZIP file that a thread reads: its directory is read once, and no thread waits for another."""

    def __init__(self) -> None:
        self.path = ""
        self.file: zipfile.ZipFile | None = None


_opened = _Opened()


def _zip_file(path: str) -> zipfile.ZipFile:
    if _opened.path != path or _opened.file is None:
        if _opened.file:
            _opened.file.close()
        _opened.path, _opened.file = "", None
        _opened.file = zipfile.ZipFile(path)
        _opened.path = path
    return _opened.file


def _fault(error: BaseException) -> str:
    return f"cannot be read: {getattr(error, 'strerror', None) or error or type(error).__name__}"
