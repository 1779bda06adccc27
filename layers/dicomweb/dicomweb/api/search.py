"""Search Transaction (QIDO-RS, PS3.18 §10.6)."""

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import accept_of, check_uids
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM_JSON, JSON, Offer, choose
from dicomweb.dicom.query import parse_query
from dicomweb.transactions.search import search

router = APIRouter(tags=[STUDIES_SERVICE])

_STUDY_UID, _SERIES_UID = "0020000D", "0020000E"


@router.get("/studies")
def search_studies(request: Request) -> Response:
    return _search(request, STUDY, {})


@router.get("/series")
def search_series(request: Request) -> Response:
    return _search(request, SERIES, {})


@router.get("/studies/{study}/series")
def search_series_of_study(request: Request, study: str) -> Response:
    return _search(request, SERIES, {_STUDY_UID: study})


@router.get("/instances")
def search_instances(request: Request) -> Response:
    return _search(request, INSTANCE, {})


@router.get("/studies/{study}/instances")
def search_instances_of_study(request: Request, study: str) -> Response:
    return _search(request, INSTANCE, {_STUDY_UID: study})


@router.get("/studies/{study}/series/{series}/instances")
def search_instances_of_series(request: Request, study: str, series: str) -> Response:
    return _search(request, INSTANCE, {_STUDY_UID: study, _SERIES_UID: series})


def _search(request: Request, level: str, path: dict[str, str]) -> Response:
    check_uids(*path.values())
    offer = choose(accept_of(request), [Offer(DICOM_JSON), Offer(JSON)])
    query = parse_query(level, parse_qsl(request.url.query, keep_blank_values=True), path)
    base = base_url(request)
    page = search(archive_of(request), query, base)
    response = Response(dumps(page.rows), media_type=offer.name)
    # PS3.18 §10.6.3.1 and §8.3.4.4 have these said in a Warning; RFC 7234 §5.5 gives its form.
    if page.more:
        after = query.offset + len(page.rows)
        more = f"more results match than the {len(page.rows)} in this answer: ask again with offset={after}"
        response.headers.append("Warning", f'299 {base} "{more}"')
    if query.ignored:
        names = ", ".join(name for name in query.ignored if name.isascii() and name.isprintable() and '"' not in name)
        response.headers.append("Warning", f'299 {base} "ignored, as they are no attributes: {names}"')
    return response
