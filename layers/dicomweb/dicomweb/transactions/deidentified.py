"""Files without what identifies the patient (PS3.15 Annex E)."""

from collections.abc import Iterator

from dicomweb.archive import Archive
from dicomweb.dicom.deidentify import deidentify
from dicomweb.errors import CannotTranscode, InvalidDicom
from dicomweb.transactions.upload import Upload


def deidentified(archive: Archive, content: Iterator[bytes]) -> tuple[int, Iterator[bytes]]:
    """A file de-identified, all of it made before the first byte is given: its length, and the bytes.

    The same UID becomes the same one in every file of this archive.

    Raises:
        CannotDeidentify: its pixel data say that they identify the patient.
        CannotTranscode: it cannot be read.
    """
    source, made = Upload(), Upload()
    try:
        for chunk in content:
            source.write(chunk)
        with source.view() as view:
            for chunk in deidentify(view, archive.index.secret()):
                made.write(chunk)
    except InvalidDicom as error:
        raise CannotTranscode(f"the file cannot be read: {error}") from error
    finally:
        source.close()
    return made.size, made.chunks(0)
