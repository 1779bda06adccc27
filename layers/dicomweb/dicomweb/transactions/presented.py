"""Images seen with a presentation state (PS3.18 §9.5.1.2.7, §9.5.2.3; PS3.3 C.11.11)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from dicomweb.archive import Archive
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.presentation_states import Reference, is_applied, is_presentation_state, references_of
from dicomweb.dicom.rendering import Rendering
from dicomweb.dicom.uids import registered_name
from dicomweb.errors import BadRequest, NotFound
from dicomweb.transactions.frames import frame_count
from dicomweb.transactions.instances import find_instances
from dicomweb.transactions.rendered import Shot, StoredState, has_pictures, metadata_of, shots_of

_ONE_BY_ONE = 20  # images of a series that are looked up by themselves; more are found in the whole series
_SOP_CLASS = "00080016"


def find_state(archive: Archive, study: str, series: str, instance: str) -> StoredState:
    """A presentation state that is to be applied to an object of a study.

    Args:
        series: "" for any.
    Raises:
        NotFound: there is no such instance.
        BadRequest: it is in another study, no presentation state, or of a kind that is not applied.
    """
    paths = [path for path in archive.index.paths_of_uid(instance) if series in ("", path[1])]
    if not paths:
        raise NotFound(f"no presentation state {instance}{f' in series {series}' if series else ''}")
    path = next((path for path in paths if path[0] == study), None)
    if path is None:
        raise BadRequest(f"presentation state {instance} is in another study than the object, {study}")
    return read_state(archive, find_instances(archive, *path, instance)[0])


def read_state(archive: Archive, row: InstanceRow) -> StoredState:
    """The presentation state that an instance is.

    Raises:
        BadRequest: it is none, or of a kind that is not applied.
    """
    if not is_presentation_state(row.attributes):
        raise BadRequest(f"instance {row.instance} is no presentation state")
    if not is_applied(row.attributes):
        kind = row.attributes[_SOP_CLASS]["Value"][0]
        raise BadRequest(
            f"instance {row.instance} is of {registered_name(kind) or kind}; "
            "applied are grayscale, color and pseudo-color softcopy presentation states"
        )
    return StoredState(row, metadata_of(archive, row))


def check_rendering(rendering: Rendering) -> None:
    """Whether parameters go together with a presentation state (PS3.18 Table 8.3.5-1).

    Raises:
        BadRequest: a window or a region, which the state already says.
    """
    viewport = rendering.viewport
    if rendering.window:
        raise BadRequest("a window cannot be combined with a presentation state, which has its own")
    if viewport and viewport.has_region:
        raise BadRequest("a region cannot be combined with a presentation state, which has its own displayed area")


def with_state(shots: list[Shot], state: StoredState) -> list[Shot]:
    """Those frames of an instance that a presentation state is for, to be seen with it.

    Raises:
        BadRequest: it is for none of them.
    """
    instance = shots[0].row.instance
    references = [reference for reference in references_of(state.metadata) if reference.instance == instance]
    found = [replace(shot, state=state) for shot in shots if any(_covers(each, shot) for each in references)]
    if not found:
        frame = f" frame {shots[0].frame}" if len(shots) == 1 else ""
        raise BadRequest(f"presentation state {state.row.instance} does not reference instance {instance}{frame}")
    return found


def shots_of_state(archive: Archive, state: StoredState) -> tuple[list[Shot], list[str]]:
    """The frames that a presentation state is for, and the SOP Instance UIDs of images that are not stored."""
    shots: list[Shot] = []
    missing: list[str] = []
    seen = set()
    for reference, row in _with_rows(archive, state):
        if row is None or not has_pictures(row):
            missing.append(reference.instance)
            continue
        numbers = range(1, frame_count(row) + 1) if reference.frames is None else sorted(reference.frames)
        for number in numbers:
            if 1 <= number <= frame_count(row) and (row.instance, number) not in seen:
                seen.add((row.instance, number))
                shots.append(Shot(row, number, state))
    return shots, missing


def first_shot(archive: Archive, state: StoredState) -> Shot | None:
    """The first frame that a presentation state is for; None when none of them is stored."""
    for reference, row in _with_rows(archive, state):
        if row and has_pictures(row):
            return next((Shot(row, shot.frame, state) for shot in shots_of(row) if _covers(reference, shot)), None)
    return None


def _covers(reference: Reference, shot: Shot) -> bool:
    return reference.covers(shot.row.instance, shot.frame)


def _with_rows(archive: Archive, state: StoredState) -> Iterator[tuple[Reference, InstanceRow | None]]:
    study = state.row.study
    for series, group in groupby(references_of(state.metadata), lambda reference: reference.series):
        references = list(group)
        if len(references) <= _ONE_BY_ONE:
            for reference in references:
                yield reference, archive.index.instance(study, series, reference.instance)
        else:
            rows = {row.instance: row for row in archive.index.instances_of(study, series)}
            yield from ((reference, rows.get(reference.instance)) for reference in references)
