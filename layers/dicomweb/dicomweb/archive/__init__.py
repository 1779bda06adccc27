"""The archive: instances and metadata in S3, the index in DynamoDB. The only place that knows boto3."""

from dataclasses import dataclass

from dicomweb.archive.index import Index
from dicomweb.archive.storage import Storage
from dicomweb.archive.table import Table
from dicomweb.settings import Settings


@dataclass(frozen=True, slots=True)
class Archive:
    """Both halves, and the settings that shape what is kept."""

    storage: Storage
    index: Index
    settings: Settings


def connect(settings: Settings) -> Archive:
    """The archive that the settings name."""
    return Archive(Storage.connect(settings), Index(Table.connect(settings)), settings)
