"""The archive: instances and metadata in S3, the index in DynamoDB. The only place that knows boto3."""

from copy import copy
from dataclasses import dataclass
from functools import cached_property

from dicomweb.archive.audit import AuditLog
from dicomweb.archive.executions import Executions
from dicomweb.archive.index import Index
from dicomweb.archive.jobs import JobTable
from dicomweb.archive.secrets import Secrets
from dicomweb.archive.seen_index import SeenIndex
from dicomweb.archive.servers import ServerTable
from dicomweb.archive.storage import Storage
from dicomweb.archive.table import Table
from dicomweb.archive.users import UserTable
from dicomweb.dicom.attribute_names import private_dictionary, register_private
from dicomweb.dicom.attributes import SERIES, STUDY, IndexedAttributes, indexed_attributes, standard_tag
from dicomweb.identity import Identity
from dicomweb.settings import Settings

_DAY_S = 24 * 3600


@dataclass(frozen=True)
class Archive:
    """Both halves, what is kept of other servers and of jobs, and the settings."""

    storage: Storage
    index: Index
    settings: Settings

    @cached_property
    def servers(self) -> ServerTable:
        return ServerTable(self.index.table, self.secrets)

    @cached_property
    def secrets(self) -> Secrets:
        return Secrets(self.settings.SecretsPrefix)

    @cached_property
    def users(self) -> UserTable:
        return UserTable(self.index.table)

    @cached_property
    def jobs(self) -> JobTable:
        return JobTable(self.index.table, self.storage, self.settings.KeepJobsDays * _DAY_S)

    @cached_property
    def executions(self) -> Executions:
        return Executions()

    @cached_property
    def audit(self) -> AuditLog:
        return AuditLog(self.settings.AuditLogGroup)

    def seen_by(self, identity: Identity) -> "Archive":
        """The archive as somebody may see it."""
        if identity.labels is None:
            return self
        seen = copy(self)  # what is computed of the settings is taken along
        object.__setattr__(seen, "index", SeenIndex(self.index, identity.labels))
        return seen

    @cached_property
    def indexed(self) -> IndexedAttributes:
        """Which attributes the rows of the index hold."""
        return indexed_attributes(dict(self.settings.ExtraMainDicomTags))

    @cached_property
    def extrapolated(self) -> dict[str, frozenset[str]]:
        """By level, which attributes metadata take from the first instances."""
        section = self.settings.DicomWeb
        named = {
            STUDY: ("StudiesMetadataExtrapolatedTags", section.StudiesMetadataExtrapolatedTags),
            SERIES: ("SeriesMetadataExtrapolatedTags", section.SeriesMetadataExtrapolatedTags),
        }
        return {
            level: frozenset(standard_tag(name, option) for name in names) for level, (option, names) in named.items()
        }


def connect(settings: Settings) -> Archive:
    """The archive that the settings name.

    Raises:
        InvalidSettings: ExtraMainDicomTags, or the tags to extrapolate, have something that is no attribute.
    """
    register_private(private_dictionary(settings.Dictionary, settings.DefaultPrivateCreator))
    archive = Archive(Storage.connect(settings), Index(Table.connect(settings)), settings)
    _ = archive.indexed, archive.extrapolated  # a wrong setting stops the start, not the first request
    return archive
