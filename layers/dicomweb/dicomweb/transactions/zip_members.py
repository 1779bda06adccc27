"""The files in a ZIP file, as parts of a store (PS3.18 Supplement 211 has the way back)."""

import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from dicomweb.dicom.media_types import DICOM
from dicomweb.dicom.multipart import Part
from dicomweb.errors import InvalidBody
from dicomweb.transactions.upload import Upload

_MOST_MEMBERS = 100_000
_ALWAYS_INFLATED = 64 * 1024 * 1024  # bytes; beyond them the members may be so many times longer than the ZIP file:
_MOST_TIMES = 200
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile inflates the others without a bound
_CHUNK = 1024 * 1024  # bytes
_ZIP = b"PK\3\4"
# A directory of a medium is made anew by whoever writes one (PS3.10 §8).
_DIRECTORY = "DICOMDIR"


def zip_parts(file: IO[bytes], size: int, names: list[str]) -> Iterator[Part[Upload]]:
    """Each file in a ZIP file, without folders and DICOMDIRs; what cannot be read is a part with its fault.

    Names are never paths here: nothing is written to where they lead.

    Args:
        size: bytes of the file.
        names: gets the name of each part.
    Raises:
        InvalidBody: it is no ZIP file.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise InvalidBody(f"no ZIP file: {error}") from error
    with archive:
        members = [each for each in archive.infolist() if not each.is_dir() and not _is_directory_file(each.filename)]
        budget = max(_ALWAYS_INFLATED, size * _MOST_TIMES)
        for number, member in enumerate(members):
            names.append(member.filename)
            if number == _MOST_MEMBERS:
                yield Part({}, Upload(), f"the ZIP file has more than {_MOST_MEMBERS} files; the rest was not read")
                return
            part = _part(archive, member, budget)
            budget -= part.content.size
            yield part


def _part(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: int) -> Part[Upload]:
    upload = Upload()
    fault = ""
    if member.compress_type not in _METHODS:
        return Part({}, upload, f"it is compressed by method {member.compress_type}; expected it stored or deflated")
    if member.file_size > budget:  # no more than that is ever read of it
        return Part({}, upload, f"the ZIP file is more than {_MOST_TIMES} times longer when inflated")
    try:
        with archive.open(member) as content:
            while chunk := content.read(_CHUNK):
                if not upload.size and chunk.startswith(_ZIP):
                    fault = "a ZIP file inside a ZIP file"
                    break
                upload.write(chunk)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, ValueError, OSError) as error:
        fault = f"it cannot be read from the ZIP file: {error}"
    return Part({"content-type": DICOM}, upload, fault)


def _is_directory_file(name: str) -> bool:
    return name.rpartition("/")[2].upper() == _DIRECTORY
