"""The rows of the index, and the table items they are kept in (the keys are in `keys.py`)."""

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dicomweb.archive import keys
from dicomweb.archive.table import Item
from dicomweb.dicom.attributes import PATIENT_GROUP, Kept
from dicomweb.dicom.json_model import DataSet, dumps
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


def study_item(new: NewInstance, counts: Item) -> Item:
    return {
        "pk": f"S#{new.row.study}",
        "sk": keys.STUDY_ROW,
        "orthanc": orthanc_id(new.patient_id, new.row.study),
        "at": keys.at_of(new.row.study, new.study_kept.attributes),
        **kept_item(new.study_kept),
        "instances": counts[":n"],
        "series": counts[":s"],
        "modalities": counts[":m"],
        "sop_classes": counts[":c"],
        "version": counts[":v"],
        **({"labels": set(new.labels)} if new.labels else {}),
    }


def series_item(members: list[NewInstance], version: str) -> Item:
    row = members[0].row
    pk, sk = keys.series_key(row.study, row.series)
    return {
        "pk": pk,
        "sk": sk,
        "uid": row.series,
        "orthanc": orthanc_id(members[0].patient_id, row.study, row.series),
        **kept_item(members[0].series_kept),
        "modality": members[0].modality,
        "sop_classes": {new.sop_class for new in members},
        "instances": len(members),
        "version": version,
    }


def instance_item(new: NewInstance) -> Item:
    row = new.row
    pk, sk = keys.instance_key(row.study, row.series, row.instance)
    return {
        "pk": pk,
        "sk": sk,
        "uid": row.instance,
        "orthanc": new.identifier,
        **kept_item(row.kept),
        "transfer_syntax": row.transfer_syntax,
        "size": row.size,
        "sha256": row.sha256,
        "fragment": row.fragment,
        "line": row.line,
        **({"frames": row.frames} if row.frames else {}),
        **({"frame_table": row.frame_table} if row.frame_table else {}),
        **({"bulk": dumps(row.bulk)} if row.bulk is not None else {}),
        **({"image": dumps(row.image)} if row.image is not None else {}),
        **({"shown": dumps(row.shown)} if row.shown is not None else {}),
        **({"content": row.content} if row.content else {}),
        "stored": row.stored_s,
    }


def upload_item(row: UploadRow) -> Item:
    pk, sk = keys.upload_key(row.upload)
    numbers = {"size": row.size, "part_bytes": row.part_bytes, "expires": row.expires_s}
    return {"pk": pk, "sk": sk, "s3_upload": row.s3_upload, "owner": row.owner, **numbers}


def upload_row(item: Item) -> UploadRow:
    upload = item["pk"].partition("#")[2]
    size, part_bytes, expires = (int(item[name]) for name in ("size", "part_bytes", "expires"))
    return UploadRow(upload, item["s3_upload"], size, part_bytes, expires, item["owner"])


def kept_item(kept: Kept) -> Item:
    """The part of an item that holds a file's attributes."""
    sets = {"extra": kept.extra, "omitted": kept.omitted}
    return {"attributes": dumps(kept.attributes), **{name: set(tags) for name, tags in sets.items() if tags}}


def kept_of(item: Item) -> Kept:
    extra, omitted = (frozenset(item.get(name, ())) for name in ("extra", "omitted"))
    return Kept(json.loads(item["attributes"]), extra, omitted)


def others_of(item: Item) -> tuple[DataSet, ...]:
    return tuple(json.loads(patient) for patient in item.get("patients", ()))


def patient_of(attributes: DataSet) -> DataSet:
    """The attributes of a patient among those of a study."""
    return {tag: attribute for tag, attribute in attributes.items() if tag[:4] == PATIENT_GROUP}


def of_each_patient(kept: Kept, others: Iterable[DataSet]) -> list[Kept]:
    """What a study's row holds, as that of each of its patients."""
    without = {tag: attribute for tag, attribute in kept.attributes.items() if tag[:4] != PATIENT_GROUP}
    return [kept, *(replace(kept, attributes=without | patient) for patient in others)]


def study_row(item: Item) -> StudyRow:
    return StudyRow(
        study=item["pk"][2:],
        kept=kept_of(item),
        others=others_of(item),
        series_count=int(item["series"]),
        instance_count=int(item["instances"]),
        modalities=frozenset(item.get("modalities", ())) - {NONE},
        sop_classes=frozenset(item.get("sop_classes", ())),
        version=item["version"],
        labels=frozenset(item.get("labels", ())),
    )


def series_row(item: Item) -> SeriesRow:
    return SeriesRow(
        study=item["pk"][2:],
        series=item["sk"][len(keys.SERIES_ROW) :],
        kept=kept_of(item),
        instance_count=int(item["instances"]),
        version=item["version"],
        identifier=item.get("orthanc", ""),
    )


def instance_row(item: Item) -> InstanceRow:
    study, _, series = item["pk"][2:].partition("/")
    return InstanceRow(
        study=study,
        series=series,
        instance=item["sk"],
        kept=kept_of(item),
        transfer_syntax=item["transfer_syntax"],
        size=int(item["size"]),
        sha256=item["sha256"],
        fragment=item["fragment"],
        line=int(item["line"]),
        frames=item.get("frames", ""),
        frame_table=bytes(item.get("frame_table", b"")),
        bulk=json.loads(item["bulk"]) if "bulk" in item else None,
        stored_s=int(item.get("stored", 0)),
        image=json.loads(item["image"]) if "image" in item else None,
        shown=json.loads(item["shown"]) if "shown" in item else None,
        content=item.get("content", ""),
        identifier=item.get("orthanc", ""),
    )
