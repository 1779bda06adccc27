"""Pictures of instances and frames (PS3.18 §10.4.1.1.3 and §10.4.1.1.4)."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, islice

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.rendering import Rendering
from dicomweb.dicom.uids import EXPLICIT_LITTLE, NATIVE, VIDEO
from dicomweb.errors import CannotTranscode, NotFound
from dicomweb.pixels.lookup_tables import number_of
from dicomweb.pixels.pictures import encode_animation, encode_picture
from dicomweb.pixels.presentation_state import State
from dicomweb.pixels.render import Picture, Source, render_frame
from dicomweb.transactions.bulk_data import find_bulk_data
from dicomweb.transactions.frames import frame_count, read_frames
from dicomweb.transactions.metadata import read_lines
from dicomweb.transactions.retrieve import image_of

VERSION = "1"  # of the pictures: another one makes every kept picture and ETag a new one

_AHEAD = 3  # pictures made while one is taken
_METADATA_AT_ONCE = 50  # instances
_LONGEST_TABLE = 16 * 1024 * 1024  # bytes of a bulk value that is needed to render
MOST_PICTURES = 10_000  # in one answer
_MOST_ANIMATED, _MOST_PIXELS = 1000, 60_000_000  # frames of an animation, and their pixels
_DEFAULT_FRAME_MS = 100.0
_FRAME_TIME, _DISPLAY_RATE, _CINE_RATE = "00181063", "00082144", "00180040"


@dataclass(frozen=True, slots=True)
class StoredState:
    """A presentation state: its row, and its metadata."""

    row: InstanceRow
    metadata: DataSet


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of an instance, from 1, that is to be a picture.

    Attributes:
        state: the presentation state that it is to be seen with.
    """

    row: InstanceRow
    frame: int
    state: StoredState | None = None


@dataclass(frozen=True, slots=True)
class NoPicture:
    """A frame that cannot be rendered."""

    shot: Shot
    reason: str


def has_pictures(row: InstanceRow) -> bool:
    """Whether an instance has frames that may be rendered."""
    return row.image is not None and row.transfer_syntax not in VIDEO and frame_count(row) > 0


def shots_of(row: InstanceRow) -> Iterator[Shot]:
    """All frames of an instance; a small file may have millions."""
    return (Shot(row, number) for number in range(1, frame_count(row) + 1))


def bounded(shots: Iterable[Shot]) -> list[Shot]:
    """As many frames as can be looked at, and one more where there are more."""
    return list(islice(shots, MOST_PICTURES + 1))


def content_of(shots: list[Shot]) -> list[str]:
    """What changes when pictures of these frames may: for an ETag."""
    rows = [row for shot in shots for row in (shot.row, shot.state and shot.state.row) if row]
    return [VERSION, *dict.fromkeys(row.sha256 for row in rows)]


def changed_s(shots: list[Shot]) -> int:
    """When the last of what they show was stored; seconds since 1970."""
    return max(max(shot.row.stored_s, shot.state.row.stored_s if shot.state else 0) for shot in shots)


def render(
    archive: Archive, shots: Iterable[Shot], rendering: Rendering, media_type: str
) -> Iterator[tuple[Shot, bytes | NoPicture]]:
    """Each frame as a picture of a media type, a few made ahead.

    Raises:
        BadRequest: a region outside an image.
    """

    def picture(each: tuple[Shot, DataSet]) -> tuple[Shot, bytes | NoPicture]:
        return each[0], _encoded(archive, *each, rendering, media_type)

    return archive.storage.map_work(picture, _with_metadata(archive, shots, rendering), _AHEAD)


def render_one(archive: Archive, shot: Shot, rendering: Rendering, media_type: str) -> bytes:
    """One frame as a picture.

    Raises:
        CannotTranscode, BadRequest.
    """
    picture = render_shot(archive, shot, attributes_for(archive, shot, rendering), rendering)
    return encode_picture(picture.image, media_type, rendering.quality, picture.profile)


def animate(archive: Archive, shots: list[Shot], rendering: Rendering) -> bytes:
    """Frames of one instance as an animated GIF.

    Raises:
        CannotTranscode: one of them cannot be rendered, or they are too many.
    """
    row = shots[0].row
    image = image_of(row)
    if image is None or len(shots) > _MOST_ANIMATED or image.rows * image.columns * len(shots) > _MOST_PIXELS:
        raise CannotTranscode(f"{len(shots)} frames are too many for an animation; name fewer of them")
    metadata = metadata_of(archive, row)
    pictures = [render_shot(archive, shot, metadata, rendering).image for shot in shots]
    return encode_animation(pictures, _frame_ms(metadata))


def render_shot(archive: Archive, shot: Shot, metadata: DataSet, rendering: Rendering) -> Picture:
    """The picture of a frame.

    Raises:
        CannotTranscode, BadRequest.
    """
    image = image_of(shot.row)
    if image is None:
        raise CannotTranscode(f"instance {shot.row.instance} has no pixels")
    if image.transfer_syntax in NATIVE:
        image = replace(image, transfer_syntax=EXPLICIT_LITTLE)  # as native frames are read
    (raw,) = read_frames(archive, shot.row, [shot.frame])
    state = State(shot.state.metadata, bulk_reader(archive, shot.state.row)) if shot.state else None
    return render_frame(Source(raw, shot.frame, image, metadata, bulk_reader(archive, shot.row), state), rendering)


def metadata_of(archive: Archive, row: InstanceRow) -> DataSet:
    """The metadata of one instance; its BulkDataURIs without an address."""
    return _parsed(read_lines(archive, [row])[0])


def attributes_for(archive: Archive, shot: Shot, rendering: Rendering) -> DataSet:
    """The attributes that a picture needs: those in the row, or the metadata."""
    return metadata_of(archive, shot.row) if _needs_metadata(shot, rendering) else shot.row.shown or {}


def bulk_reader(archive: Archive, row: InstanceRow) -> Callable[[str], bytes]:
    """How a bulk value that is needed to render is read; b"" where there is none, or one that is far too long."""

    def read(path: str) -> bytes:
        try:
            value = find_bulk_data(archive, row, path)
        except NotFound:
            return b""
        return b"".join(value.open(0, value.length)) if value.length <= _LONGEST_TABLE else b""

    return read


def _with_metadata(archive: Archive, shots: Iterable[Shot], rendering: Rendering) -> Iterator[tuple[Shot, DataSet]]:
    """Frames with the attributes that their pictures need; the metadata of neighbours are read together."""
    of_instance = (list(group) for _, group in groupby(shots, lambda shot: shot.row.instance))
    for _, series in groupby(of_instance, lambda group: group[0].row.series):
        while batch := list(islice(series, _METADATA_AT_ONCE)):
            unknown = [shot.row for shot, *_ in batch if _needs_metadata(shot, rendering)]
            lines = read_lines(archive, unknown) if unknown else []
            known = {row.instance: _parsed(line) for row, line in zip(unknown, lines, strict=True)}
            for group in batch:
                row = group[0].row
                metadata = known.get(row.instance, row.shown or {})
                yield from ((shot, metadata) for shot in group)


def _needs_metadata(shot: Shot, rendering: Rendering) -> bool:
    """Whether what the row holds does not do; presentation states also activate overlays."""
    return shot.row.shown is None or bool(rendering.annotations) or shot.state is not None


def _encoded(
    archive: Archive, shot: Shot, metadata: DataSet, rendering: Rendering, media_type: str
) -> bytes | NoPicture:
    try:
        picture = render_shot(archive, shot, metadata, rendering)
        return encode_picture(picture.image, media_type, rendering.quality, picture.profile)
    except CannotTranscode as error:
        return NoPicture(shot, str(error))


def _parsed(line: bytes) -> DataSet:
    parsed: DataSet = json.loads(line)
    return parsed


def _frame_ms(metadata: DataSet) -> float:
    """How long a frame is shown (PS3.3 C.7.6.5)."""
    time = number_of(metadata, _FRAME_TIME) or 0
    rate = number_of(metadata, _DISPLAY_RATE) or number_of(metadata, _CINE_RATE) or 0
    return time if time > 0 else 1000 / rate if rate > 0 else _DEFAULT_FRAME_MS
