"""The rows of the index: what is known of studies, series, instances and upload sessions. Kept as `items.py` says."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dicomweb.archive import keys
from dicomweb.dicom.attributes import PATIENT_GROUP, Kept
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.orthanc_ids import orthanc_id, patient_id

NONE = "-"  # stands in a string set for an absent value: a set cannot be empty


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study: attributes of its first instance, and counts of all.

    Attributes:
        others: the attributes of further patients (group 0010) whom instances of it name.
        labels: of who may see it, beside those who may see all.
    """

    study: str
    kept: Kept
    others: tuple[DataSet, ...]
    series_count: int
    instance_count: int
    modalities: frozenset[str]
    sop_classes: frozenset[str]
    version: str
    labels: frozenset[str] = frozenset()

    @property
    def attributes(self) -> DataSet:
        return self.kept.attributes

    @property
    def seen_as(self) -> list["StudyRow"]:
        """The study as that of each of its patients."""
        return [replace(self, kept=kept) for kept in of_each_patient(self.kept, self.others)]


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series.

    Attributes:
        version: changes with every write to the series; what was made from another version is stale.
        identifier: Orthanc's; "" for what was stored before they were indexed.
    """

    study: str
    series: str
    kept: Kept
    instance_count: int
    version: str
    identifier: str = ""

    @property
    def attributes(self) -> DataSet:
        return self.kept.attributes


@dataclass(slots=True)
class InstanceRow:
    """An instance: what is searched, and where its bytes stand.

    Attributes:
        fragment, line: the metadata object that has its metadata, and the line in it.
        frames: "" none; "native:VR:start:bits:count"; "table:count" with the table in frame_table or, when that is
            empty, in its own object.
        bulk: {path: [vr, start, length, little, encapsulated]}; None when it is in its own object.
        stored_s: when it was stored; seconds since 1970.
        image: what describes its pixels (`pixels/image.py`); None when it has none.
        identifier: Orthanc's; "" for what was stored before they were indexed.
        content: tells its object from that of the content which it replaced; "" for the first.
        shown: the attributes by which its pixels are seen (`pixels/presentation.py`); None: see its metadata.
    """

    study: str
    series: str
    instance: str
    kept: Kept
    transfer_syntax: str
    size: int
    sha256: str
    fragment: str
    line: int
    frames: str
    frame_table: bytes
    bulk: dict[str, list[Any]] | None
    stored_s: int = 0
    image: dict[str, Any] | None = None
    shown: DataSet | None = None
    content: str = ""
    identifier: str = ""

    @property
    def path(self) -> tuple[str, str, str]:
        """The UIDs that lead to it."""
        return self.study, self.series, self.instance

    @property
    def object_key(self) -> str:
        """Where its bytes are."""
        return keys.instance_object(self.study, self.series, self.instance, self.content)

    @property
    def attributes(self) -> DataSet:
        return self.kept.attributes


@dataclass(frozen=True, slots=True)
class UploadRow:
    """An upload session.

    Attributes:
        s3_upload: S3's name of it.
        size, part_bytes: of the whole, and of each part but the last.
        expires_s: seconds since 1970.
        owner: the name of who began it.
    """

    upload: str
    s3_upload: str
    size: int
    part_bytes: int
    expires_s: int
    owner: str = ""


@dataclass(slots=True)
class NewInstance:
    """An instance to be indexed, with what its series and study hold if they are new.

    Attributes:
        replaces: whether it takes the place of other content under its UID.
        labels: of the study, if it is new.
    """

    row: InstanceRow
    series_kept: Kept
    study_kept: Kept
    modality: str
    sop_class: str
    replaces: bool = False
    labels: frozenset[str] = frozenset()

    @property
    def patient_id(self) -> str:
        return patient_id(self.study_kept.attributes)

    @property
    def identifier(self) -> str:
        """Orthanc's."""
        return orthanc_id(self.patient_id, self.row.study, self.row.series, self.row.instance)


def new_version() -> str:
    """A version that no other write has, and that says when it was made."""
    return f"{int(time.time()):08x}{uuid.uuid4().hex[:24]}"


def changed_s(version: str) -> int:
    """When a version was made; seconds since 1970."""
    return int(version[:8], 16)


def patient_of(attributes: DataSet) -> DataSet:
    """The attributes of a patient among those of a study."""
    return {tag: attribute for tag, attribute in attributes.items() if tag[:4] == PATIENT_GROUP}


def of_each_patient(kept: Kept, others: Iterable[DataSet]) -> list[Kept]:
    """What a study's row holds, as that of each of its patients."""
    without = {tag: attribute for tag, attribute in kept.attributes.items() if tag[:4] != PATIENT_GROUP}
    return [kept, *(replace(kept, attributes=without | patient) for patient in others)]
