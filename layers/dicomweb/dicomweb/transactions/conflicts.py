"""Other content under a known SOP Instance UID, set aside until somebody decides (an extension)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from dicomweb.archive import Archive, keys
from dicomweb.dicom.multipart import Part
from dicomweb.dicom.store_response import Outcome, Stored
from dicomweb.errors import NotFound
from dicomweb.transactions.store import store_instances
from dicomweb.transactions.upload import Upload


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that was refused.

    Attributes:
        sha256: of its bytes.
        received: when it last came.
    """

    study: str
    series: str
    instance: str
    sha256: str
    size: int
    received: datetime

    @property
    def name(self) -> str:
        """What it is listed and asked for by."""
        return f"{self.study}/{self.series}/{self.instance}/{self.sha256}"


def list_conflicts(archive: Archive, after: str, limit: int) -> list[Conflict]:
    """Conflicts in the order of their names.

    Args:
        after: the name of the last one seen, "" for the first.
    """
    start = f"{keys.CONFLICTS}{after}.dcm" if after else ""
    found = list(islice(archive.storage.objects(keys.CONFLICTS, start), limit))
    names = (each.key.removeprefix(keys.CONFLICTS).removesuffix(".dcm").split("/") for each in found)
    return [
        Conflict(study, series, instance, sha256, each.size, each.changed)
        for each, (study, series, instance, sha256) in zip(found, names, strict=True)
    ]


def open_conflict(archive: Archive, *name: str) -> tuple[int, Iterator[bytes]]:
    """The size and the bytes of one.

    Raises:
        NotFound: there is none.
    """
    key, size = _found(archive, *name)
    return size, archive.storage.open(key)


def accept_conflict(archive: Archive, *name: str) -> Outcome:
    """Store it in the place of what is there; then it is no conflict any more.

    Raises:
        NotFound: there is none.
    """
    key, _ = _found(archive, *name)
    upload = Upload()
    for chunk in archive.storage.open(key):
        upload.write(chunk)
    (outcome,) = store_instances(archive, [Part({}, upload)], "", replaces=True)
    if isinstance(outcome, Stored):
        archive.storage.delete([key])
    return outcome


def drop_conflict(archive: Archive, *name: str) -> None:
    """Forget it.

    Raises:
        NotFound: there is none.
    """
    key, _ = _found(archive, *name)
    archive.storage.delete([key])


def _found(archive: Archive, study: str, series: str, instance: str, sha256: str) -> tuple[str, int]:
    """The key and the size of a conflict."""
    key = keys.conflict_object(study, series, instance, sha256)
    state = archive.storage.state(key)
    if state is None:
        raise NotFound(f"no conflict {study}/{series}/{instance}/{sha256}")
    return key, state.size
