"""What is kept of an instance beside its bytes: rows for the index, a line of metadata, and where its values stand."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from dicomweb.archive.rows import NONE, InstanceRow, NewInstance
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY, IndexedAttributes
from dicomweb.dicom.frames import EncapsulatedFrames, NativeFrames
from dicomweb.dicom.json_model import dumps, text_of
from dicomweb.dicom.part10 import Instance
from dicomweb.errors import CannotTranscode
from dicomweb.pixels.image import read_image_pixel
from dicomweb.pixels.presentation import plain_attributes

_INLINE = 4096  # bytes of a frame table or bulk list kept in the row; longer ones are objects of their own


@dataclass(slots=True)
class Record:
    """All of one instance that is written at ingest.

    Attributes:
        line: its metadata as JSON, without a line break.
        frame_table, bulk: what is too long for the row; empty when it is in the row.
    """

    new: NewInstance
    line: bytes
    frame_table: bytes
    bulk: bytes


def record_of(instance: Instance, size: int, sha256: bytes, indexed: IndexedAttributes) -> Record:
    """The record of a file of this size and digest; its fragment and line are given when they are known."""
    frames, table = _frames(instance)
    bulk = {
        path: [value.vr, value.start, value.length, value.little, value.encapsulated]
        for path, value in instance.bulk.items()
    }
    bulk_text = dumps(bulk).encode()
    image = _image(instance)
    row = InstanceRow(
        study=instance.study,
        series=instance.series,
        instance=instance.instance,
        kept=indexed.row_of(instance.metadata, INSTANCE),
        transfer_syntax=instance.transfer_syntax,
        size=size,
        sha256=sha256.hex(),
        fragment="",
        line=0,
        frames=frames,
        frame_table=table if len(table) <= _INLINE else b"",
        bulk=bulk if len(bulk_text) <= _INLINE else None,
        stored_s=int(time.time()),
        image=image,
        shown=plain_attributes(instance.metadata) if image else None,
    )
    new = NewInstance(
        row=row,
        series_kept=indexed.row_of(instance.metadata, SERIES),
        study_kept=indexed.row_of(instance.metadata, STUDY),
        modality=text_of(instance.metadata, "00080060")[:16] or NONE,
        sop_class=instance.sop_class,
    )
    return Record(
        new=new,
        line=_metadata_line(instance),
        frame_table=table if len(table) > _INLINE else b"",
        bulk=bulk_text if len(bulk_text) > _INLINE else b"",
    )


def _image(instance: Instance) -> dict[str, Any] | None:
    """What describes the pixels, so that a frame is decoded without a look at the metadata."""
    try:
        image = read_image_pixel(instance.metadata, instance.transfer_syntax)
    except CannotTranscode as error:
        return {"fault": str(error)}
    return asdict(image) if image else None


def _metadata_line(instance: Instance) -> bytes:
    text = dumps(instance.metadata)
    if not text.isascii() and "00080005" not in instance.metadata:
        # Metadata are in UTF-8 and say so (PS3.18 §F.2.1), also when the file did not name its character set.
        character_set = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
        text = dumps(dict(sorted((instance.metadata | character_set).items())))
    return text.encode("utf-8", "replace")


def _frames(instance: Instance) -> tuple[str, bytes]:
    """How the row says where the frames are, and the table of encapsulated ones."""
    match instance.frames:
        case NativeFrames(vr, start, frame_bits, count):
            return f"native:{vr}:{start}:{frame_bits}:{count}", b""
        case EncapsulatedFrames(table, count):
            return f"table:{count}", table
        case _:
            return "", b""
