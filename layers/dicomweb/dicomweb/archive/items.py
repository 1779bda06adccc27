"""The table items that rows are kept in, and the way back (the keys are in `keys.py`)."""

import json

from dicomweb.archive import keys
from dicomweb.archive.rows import NONE, InstanceRow, NewInstance, SeriesRow, StudyRow, UploadRow
from dicomweb.archive.table import Item
from dicomweb.dicom.attributes import Kept
from dicomweb.dicom.json_model import DataSet, dumps
from dicomweb.dicom.orthanc_ids import orthanc_id


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
