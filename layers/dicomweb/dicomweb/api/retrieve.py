"""Studies, series and instances (WADO-RS, PS3.18 §10.4.1.1.1)."""

import anyio.from_thread
from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import (
    INSTANCE_PATH,
    SERIES_PATH,
    STORED_OBJECT,
    STUDY_PATH,
    accept_of,
    check_uids,
    etag_of,
    header_bytes,
    multipart_answer,
    not_modified,
    streamed,
    url_of,
    validators,
)  # fmt: skip
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.ranges import ranged_answer
from dicomweb.api.urls import base_url
from dicomweb.api.zip_file import zip_chunks
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import DICOM, ZIP, Offer, choose
from dicomweb.errors import NotAcceptable, UserAgentGone
from dicomweb.pixels.capabilities import CONTAINERS, ENCODED
from dicomweb.transactions import retrieve
from dicomweb.transactions.instances import find_instances, transfer_syntaxes
from dicomweb.transactions.retrieve import AS_STORED, DEFAULT, Ready, Refused

router = APIRouter(tags=[STUDIES_SERVICE])

_MOST_NAMED = 10  # instances in a message


@router.get(STUDY_PATH)
def retrieve_study(request: Request, study: str) -> Response:
    return _retrieve(request, study)


@router.get(SERIES_PATH)
def retrieve_series(request: Request, study: str, series: str) -> Response:
    return _retrieve(request, study, series)


@router.get(INSTANCE_PATH)
def retrieve_instance(request: Request, study: str, series: str, instance: str) -> Response:
    return _retrieve(request, study, series, instance)


def _retrieve(request: Request, *uids: str) -> Response:
    check_uids(*uids)
    rows = find_instances(archive_of(request), *uids)
    offer = choose(accept_of(request), _offers(rows), f"stored as {', '.join(transfer_syntaxes(rows))}")
    changed_s = max(row.stored_s for row in rows)
    headers = validators(etag_of(str(offer), base_url(request), *(row.sha256 for row in rows)), changed_s)
    if unchanged := not_modified(request, headers):
        return unchanged
    ready, refused = make_ready(request, rows, offer.transfer_syntax)
    if refused:
        headers["Warning"] = f'299 {base_url(request)} "{_named(refused)}"'
    status = 206 if refused else 200  # PS3.18 Table 10.4.3-1
    if offer.name == ZIP:
        headers |= {"Content-Type": ZIP, "Content-Disposition": f'attachment; filename="{uids[-1]}.zip"'}
        return streamed(_zip(request, ready), status, headers)
    if offer.multipart:
        return _multipart(request, ready, headers, status)
    return instance_answer(request, ready[0], headers)


def _offers(rows: list[InstanceRow]) -> list[Offer]:
    """As stored to who asks for any transfer syntax, in the default one to who asks for none, or in the one named."""
    named = dict.fromkeys([*transfer_syntaxes(rows), *sorted(CONTAINERS), *ENCODED])
    packings = [(DICOM, True)] + ([(DICOM, False)] if len(rows) == 1 else [])
    offers = []
    for name, multipart in packings:
        offers += [Offer(name, multipart, AS_STORED, on_request=True), Offer(name, multipart, DEFAULT)]
        offers += [Offer(name, multipart, syntax, on_request=True) for syntax in named]
    # Who downloads files wants those that are there.
    offers += [Offer(ZIP, False, AS_STORED), *(Offer(ZIP, False, syntax, on_request=True) for syntax in named)]
    return offers


def make_ready(request: Request, rows: list[InstanceRow], transfer_syntax: str) -> tuple[list[Ready], list[Refused]]:
    """What can be sent, and what cannot.

    Raises:
        NotAcceptable: nothing can.
    """

    def check() -> None:
        if anyio.from_thread.run(request.is_disconnected):
            raise UserAgentGone("the user agent went away")

    made = retrieve.make_ready(archive_of(request), rows, transfer_syntax, check)
    refused = [each for each in made if isinstance(each, Refused)]
    if len(refused) == len(rows):
        stored = ", ".join(transfer_syntaxes(rows))
        raise NotAcceptable(f"{_named(refused)}; available: {DICOM}; transfer-syntax=* as stored, in {stored}")
    return [each for each in made if isinstance(each, Ready)], refused


def _named(refused: list[Refused]) -> str:
    """What could not be transcoded, and why; for a header."""
    named = [f"{each.row.instance} ({each.reason})" for each in refused[:_MOST_NAMED]]
    more = f" and {len(refused) - _MOST_NAMED} more" if len(refused) > _MOST_NAMED else ""
    text = f"{len(refused)} instances cannot be transcoded: {', '.join(named)}{more}"
    return "".join(char if char.isascii() and char.isprintable() and char != '"' else " " for char in text)


def instance_answer(request: Request, instance: Ready, headers: dict[str, str]) -> Response:
    """One instance by itself."""
    headers |= {"Content-Type": DICOM}
    if instance.size is None:
        return streamed(instance.open(), 200, headers)
    storage, key, size = archive_of(request).storage, instance.key, instance.size
    request.scope.get(STORED_OBJECT, []).append(key)

    def open_(start: int, length: int) -> retrieve.Body:
        return instance.open() if length == size else storage.open(key, start, length)

    return ranged_answer(request, size, open_, headers)


def _multipart(request: Request, instances: list[Ready], headers: dict[str, str], status: int) -> Response:
    base = base_url(request)
    part_headers = [_part_headers(base, instance) for instance in instances]
    sizes = [
        header_bytes(each) + instance.size
        for each, instance in zip(part_headers, instances, strict=True)
        if instance.size is not None
    ]
    bodies = retrieve.open_ahead(archive_of(request), instances)
    parts = zip(part_headers, bodies, strict=True)
    return multipart_answer(DICOM, parts, headers, sizes if len(sizes) == len(instances) else None, status)


def _part_headers(base: str, instance: Ready) -> dict[str, str]:
    length = {} if instance.size is None else {"Content-Length": str(instance.size)}
    return {
        "Content-Type": f"{DICOM}; transfer-syntax={instance.transfer_syntax}",
        **length,
        "Content-Location": url_of(base, instance.row),
    }


def _zip(request: Request, instances: list[Ready]) -> retrieve.Body:
    rows = (instance.row for instance in instances)
    names = (f"{row.study}/{row.series}/{row.instance}.dcm" for row in rows)
    return zip_chunks(zip(names, retrieve.open_ahead(archive_of(request), instances), strict=True))
