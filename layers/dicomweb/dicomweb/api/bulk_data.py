"""Bulk data and pixel data of instances, series and studies (PS3.18 §10.4.1.1.5 and §10.4.1.1.7)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import (
    INSTANCE_PATH,
    SERIES_PATH,
    STUDY_PATH,
    Part,
    accept_of,
    check_uids,
    etag_of,
    find_instance,
    multipart_answer,
    not_modified,
    url_of,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.frames import all_frames, frame_parts, frames_answer
from dicomweb.api.ranges import ranged_answer
from dicomweb.api.urls import base_url
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import FRAME_TYPES, OCTET_STREAM, Offer, choose
from dicomweb.dicom.uids import EXPLICIT_LITTLE, NATIVE, VIDEO
from dicomweb.errors import NotAcceptable, NotFound
from dicomweb.transactions import bulk_data, frames
from dicomweb.transactions.bulk_data import PIXEL_DATA_PATHS
from dicomweb.transactions.instances import find_instances

router = APIRouter(tags=[STUDIES_SERVICE])


@router.get(INSTANCE_PATH + "/bulkdata/{path:path}")
def retrieve_bulk_data(request: Request, study: str, series: str, instance: str, path: str) -> Response:
    row = find_instance(request, study, series, instance)
    if _has_frames_apart(row, path):
        # Encapsulated pixel data have a part for each frame (PS3.18 §8.7.3.4).
        with suppress(NotAcceptable):  # who wants one part gets the frames in it
            return frames_answer(request, row, all_frames(row))
    names = [*_video_type(row, path), OCTET_STREAM]
    offer = choose(
        accept_of(request), [Offer(name, multipart, EXPLICIT_LITTLE) for name in names for multipart in (True, False)]
    )
    headers = validators(etag_of(row.sha256, path, str(offer), base_url(request)), row.stored_s, immutable=True)
    value = bulk_data.find_bulk_data(archive_of(request), row, path)
    if unchanged := not_modified(request, headers):
        return unchanged
    if not offer.multipart:
        return ranged_answer(request, value.length, value.open, headers | {"Content-Type": offer.name})
    return multipart_answer(offer.name, [_part(request, row, path, value, offer.name)], headers)


@router.get(STUDY_PATH + "/bulkdata", name="retrieve_bulk_data_of_study")
@router.get(SERIES_PATH + "/bulkdata", name="retrieve_bulk_data_of_series")
@router.get(INSTANCE_PATH + "/bulkdata", name="retrieve_bulk_data_of_instance")
def retrieve_all_bulk_data(request: Request) -> Response:
    return _all_of(request, _every_path)


@router.get(STUDY_PATH + "/pixeldata", name="retrieve_pixel_data_of_study")
@router.get(SERIES_PATH + "/pixeldata", name="retrieve_pixel_data_of_series")
@router.get(INSTANCE_PATH + "/pixeldata", name="retrieve_pixel_data_of_instance")
def retrieve_all_pixel_data(request: Request) -> Response:
    return _all_of(request, _pixel_paths)


def _every_path(paths: Iterable[str]) -> list[str]:
    return list(paths)


def _pixel_paths(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if path in PIXEL_DATA_PATHS]


def _all_of(request: Request, paths_of: Callable[[Iterable[str]], list[str]]) -> Response:
    uids = request.path_params.values()
    check_uids(*uids)
    # Each part has the type of its content: compressed pixels are as they are stored.
    offer = choose(accept_of(request), [Offer(OCTET_STREAM, True, "*"), Offer(OCTET_STREAM, True, EXPLICIT_LITTLE)])
    rows = find_instances(archive_of(request), *uids)
    what = paths_of.__name__
    headers = validators(
        etag_of(what, str(offer), base_url(request), *(row.sha256 for row in rows)), max(row.stored_s for row in rows)
    )
    if unchanged := not_modified(request, headers):
        return unchanged
    parts = _parts(request, rows, paths_of)
    first = next(parts, None)
    if first is None:
        raise NotFound("there are no such bulk data")

    def all_parts() -> Iterator[Part]:
        yield first
        yield from parts

    return multipart_answer(offer.name, all_parts(), headers)


def _parts(request: Request, rows: list[InstanceRow], paths_of: Callable[[Iterable[str]], list[str]]) -> Iterator[Part]:
    archive = archive_of(request)
    for row in rows:
        for path in paths_of(bulk_data.bulk_paths(archive, row)):
            if _has_frames_apart(row, path):
                numbers = all_frames(row)
                contents = frames.read_frames(archive, row, numbers)
                yield from frame_parts(request, row, numbers, contents, row.transfer_syntax)
            else:
                value = bulk_data.find_bulk_data(archive, row, path)
                media_type = next(iter(_video_type(row, path)), OCTET_STREAM)
                yield _part(request, row, path, value, media_type)


def _part(request: Request, row: InstanceRow, path: str, value: bulk_data.Value, media_type: str) -> Part:
    headers = {
        "Content-Type": media_type,
        "Content-Length": str(value.length),
        "Content-Location": f"{url_of(base_url(request), row)}/bulkdata/{path}",
    }
    return headers, value.open(0, value.length)


def _has_frames_apart(row: InstanceRow, path: str) -> bool:
    is_encapsulated = path.upper() == "7FE00010" and row.transfer_syntax not in NATIVE
    return is_encapsulated and frames.frame_count(row) > 0


def _video_type(row: InstanceRow, path: str) -> list[str]:
    is_video = path.upper() == "7FE00010" and row.transfer_syntax in VIDEO
    return [FRAME_TYPES[row.transfer_syntax]] if is_video else []
