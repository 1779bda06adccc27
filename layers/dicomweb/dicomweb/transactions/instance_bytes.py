"""The bytes of an instance on their way into S3: the first writer's stay, unless they are to be replaced.

Bytes that are there without a row are what a crash left, or what another writer is about to index.
"""

from enum import Enum

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow
from dicomweb.transactions.upload import Upload

_CONTENT = 16  # digits of a digest that tell two objects of one instance apart


class KeptAs(Enum):
    """What became of an instance's bytes."""

    CREATED = "stored by us, to be indexed"
    FOUND = "there already without a row, to be indexed; who deletes them may be at it"
    INDEXED = "there already, and indexed with these bytes"


class OtherContent(Exception):
    """The SOP Instance UID is taken by another file; says where this one is set aside."""


class InstanceBytes:
    """Those of the instances of one store.

    Args:
        replaces: whether they take the place of other content under their UIDs.
    """

    def __init__(self, archive: Archive, *, replaces: bool) -> None:
        self._archive = archive
        self._replaces = replaces

    def keep(self, row: InstanceRow, upload: Upload) -> KeptAs:
        """Put the bytes into S3, unless they are there.

        Raises:
            OtherContent: another file has this SOP Instance UID.
        """
        kept = None
        try:
            kept = self._put(row, upload)
            return kept
        finally:
            # Memory stays flat: only bytes that may have to be stored again are kept, on disk.
            if kept == KeptAs.FOUND:
                upload.move_to_disk()
            else:
                upload.close()

    def keep_found(self, row: InstanceRow, upload: Upload) -> None:
        """A delete may have removed the bytes between our finding and our indexing them: then they are stored again.

        The delete looks at the index after it removed them, we look at the bytes after we indexed them: one of the
        two sees the other.
        """
        key = row.object_key
        storage = self._archive.storage
        if storage.state(key) is None:
            storage.create_instance(key, upload.file, upload.size, upload.sha256)

    def _put(self, row: InstanceRow, upload: Upload) -> KeptAs:
        storage = self._archive.storage
        key = row.object_key
        if storage.create_instance(key, upload.file, upload.size, upload.sha256):
            return KeptAs.CREATED
        there = storage.state(key)
        known = self._archive.index.instance(row.study, row.series, row.instance)
        if known:
            if known.sha256 == row.sha256:
                return KeptAs.INDEXED
            return self._put_beside(row, upload)
        if there and there.sha256 == row.sha256:
            return KeptAs.FOUND
        # Bytes without a row are what a crash left, unless another writer is just about to index them.
        if (
            there
            and not there.is_in_flight
            and storage.replace_instance(key, upload.file, upload.size, upload.sha256, there.etag)
        ):
            return KeptAs.CREATED
        return self._put_beside(row, upload)

    def _put_beside(self, row: InstanceRow, upload: Upload) -> KeptAs:
        """Put other content under a known UID where it disturbs nobody, until the index leads to it."""
        if not self._replaces:
            aside = keys.conflict_object(row.study, row.series, row.instance, row.sha256)
            self._archive.storage.create_instance(aside, upload.file, upload.size, upload.sha256)
            raise OtherContent(aside.removeprefix(keys.CONFLICTS).removesuffix(".dcm"))
        row.content = row.sha256[:_CONTENT]
        self._archive.storage.create_instance(row.object_key, upload.file, upload.size, upload.sha256)
        return KeptAs.CREATED
