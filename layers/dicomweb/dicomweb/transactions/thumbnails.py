"""Small pictures that stand for studies, series, instances and frames (PS3.18 §10.4.1.1.4)."""

from dataclasses import dataclass

from dicomweb.archive import Archive, keys
from dicomweb.archive.rows import InstanceRow, changed_s
from dicomweb.dicom.json_model import text_of
from dicomweb.dicom.presentation_states import is_applied
from dicomweb.dicom.rendering import Rendering, Viewport
from dicomweb.errors import CannotTranscode, NotFound
from dicomweb.pixels.icon import draw_icon
from dicomweb.pixels.pictures import encode_picture
from dicomweb.transactions.frames import check_numbers, frame_count
from dicomweb.transactions.instances import find_instances, missing
from dicomweb.transactions.presented import first_shot, read_state
from dicomweb.transactions.rendered import VERSION, Shot, attributes_for, has_pictures, render_shot
from dicomweb.transactions.search_order import in_order, series_in_order

_SIDE = 256  # pixels; of a thumbnail when no viewport is named
_UNREADABLE_SIDE = 64  # pixels; letters that are burned in are gone at this size
_BURNED_IN = "00280301"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a thumbnail stands for.

    Attributes:
        uids: of the study, the series and the instance, as far as its level has them.
        content: changes when what it shows may.
        changed_s: seconds since 1970.
        frame: from 1; None when it is no frame.
        shot: what a presentation state shows first, known already.
    """

    uids: tuple[str, ...]
    content: str
    changed_s: int
    frame: int | None = None
    shot: Shot | None = None


def find_subject(archive: Archive, *uids: str, frame: int | None = None) -> Subject:
    """One row is read, however large the study is.

    Raises:
        NotFound: there is no such resource.
    """
    if len(uids) == 3:
        row = find_instances(archive, *uids)[0]
        if frame is not None:
            check_numbers(row, [frame])
        shot = first_shot(archive, read_state(archive, row)) if is_applied(row.attributes) else None
        of_state = f"-{shot.row.sha256}" if shot else ""
        return Subject(uids, f"{row.sha256}{of_state}-{frame}-{VERSION}", row.stored_s, frame, shot)
    found = archive.index.study(*uids) if len(uids) == 1 else archive.index.one_series(*uids)
    if found is None:
        raise missing(archive, *uids)
    return Subject(uids, f"{found.version}-{VERSION}", changed_s(found.version))


def thumbnail(archive: Archive, subject: Subject, viewport: Viewport | None, media_type: str) -> bytes:
    """A small picture, or an icon where there is none; that of the usual size is kept."""
    if viewport is not None:
        return _make(archive, subject, viewport, media_type)
    key = keys.thumbnail_object(subject.uids, f"{subject.content}.{media_type.rpartition('/')[2]}")
    try:
        return archive.storage.read(key)[0]
    except NotFound:
        made = _make(archive, subject, Viewport(_SIDE, _SIDE), media_type)
        archive.storage.write(key, made, media_type)
        return made


def _make(archive: Archive, subject: Subject, viewport: Viewport, media_type: str) -> bytes:
    if shot := subject.shot or _representative(archive, subject):
        try:
            metadata = attributes_for(archive, shot, Rendering())
            if text_of(metadata, _BURNED_IN) == "YES":
                viewport = _within(viewport, _UNREADABLE_SIDE)
            picture = render_shot(archive, shot, metadata, Rendering(viewport=viewport, icc_profile="no"))
            return encode_picture(picture.image, media_type, None)
        except CannotTranscode:
            pass  # what is broken has an icon too
    side = min(viewport.width or _SIDE, viewport.height or _SIDE)
    return encode_picture(draw_icon(side), media_type, None)


def _within(viewport: Viewport, side: int) -> Viewport:
    return Viewport(min(viewport.width or side, side), min(viewport.height or side, side))


def _representative(archive: Archive, subject: Subject) -> Shot | None:
    """The frame that stands for a resource: the middle one; None when nothing in it has pictures."""
    if len(subject.uids) > 1:
        rows = find_instances(archive, *subject.uids)
        return _middle(rows) if subject.frame is None else Shot(rows[0], subject.frame)
    (study,) = subject.uids
    uids = [row.series for row in series_in_order(archive.index.series_of(study))]
    of_series = (in_order(archive.index.instances_of(study, uid)) for uid in uids)
    return next((shot for shot in map(_middle, of_series) if shot), None)


def _middle(rows: list[InstanceRow]) -> Shot | None:
    shown = [row for row in rows if has_pictures(row)]
    if not shown:
        return None
    row = shown[len(shown) // 2]
    return Shot(row, (frame_count(row) + 1) // 2)
