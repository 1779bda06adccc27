"""A body that holds DICOM files, known by what it begins with: one file, multipart/related, or a ZIP file."""

import re
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain

from dicomweb.dicom.media_types import DICOM, MULTIPART, parse
from dicomweb.dicom.multipart import MAX_BOUNDARY, Part, read_parts
from dicomweb.transactions.upload import Upload
from dicomweb.transactions.zip_members import zip_parts

_ZIP = b"PK"
_PREFIX, _MAGIC = 128, b"DICM"  # PS3.10 §7.1
_LOOK = 4096  # bytes by which a body is known
_FIRST_LINE = re.compile(rb"(?:\r\n)?--([\x21-\x7e][\x20-\x7e]{0,%d})\r\n" % (MAX_BOUNDARY - 1))


def parts_of(
    content_type: str, chunks: Iterator[bytes], names: list[str], fault: Callable[[], str] = str
) -> Iterator[Part[Upload]]:
    """The files in a body, each when it is complete.

    Args:
        names: takes those that a ZIP file has for its members.
        fault: why there are no more chunks, "" where the body is complete; a file without parts around it looks whole.
    Raises:
        InvalidBody: it has none, or not what its beginning says.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _LOOK:
            break
    body = chain([head], chunks)
    media_type = parse(content_type)
    boundary = media_type.parameters.get("boundary", "") if media_type.name == MULTIPART else ""
    if head.startswith(_ZIP):
        with tempfile.TemporaryFile() as file:
            for chunk in body:
                file.write(chunk)
            yield from zip_parts(file, file.tell(), names)
    elif head[_PREFIX : _PREFIX + len(_MAGIC)] != _MAGIC and (boundary or (found := _FIRST_LINE.match(head))):
        yield from read_parts(body, boundary or found[1].decode(), Upload)  # type: ignore[index]
    else:
        upload = Upload()
        for chunk in body:
            upload.write(chunk)
        yield Part({"content-type": DICOM}, upload, fault())
