"""The archive: instances and metadata in S3, the index in DynamoDB. The only place that knows boto3."""

from dataclasses import dataclass
from functools import cached_property

from dicomweb.archive.index import Index
from dicomweb.archive.storage import Storage
from dicomweb.archive.table import Table
from dicomweb.dicom.attribute_names import private_dictionary, register_private
from dicomweb.dicom.attributes import IndexedAttributes, indexed_attributes
from dicomweb.settings import Settings


@dataclass(frozen=True)
class Archive:
    """Both halves, and the settings that shape what is kept."""

    storage: Storage
    index: Index
    settings: Settings

    @cached_property
    def indexed(self) -> IndexedAttributes:
        """Which attributes the rows of the index hold."""
        return indexed_attributes(dict(self.settings.ExtraMainDicomTags))


def connect(settings: Settings) -> Archive:
    """The archive that the settings name.

    Raises:
        InvalidSettings: ExtraMainDicomTags has something that cannot be indexed.
    """
    register_private(private_dictionary(settings.Dictionary, settings.DefaultPrivateCreator))
    archive = Archive(Storage.connect(settings), Index(Table.connect(settings)), settings)
    _ = archive.indexed  # a wrong setting stops the start, not the first request
    return archive
