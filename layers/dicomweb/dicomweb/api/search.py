"""Search Transaction (QIDO-RS, PS3.18 §10.6)."""

import re
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import accept_of, check_uids, multipart_answer
from dicomweb.api.app import STUDIES_SERVICE, archive_of, settings_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.attribute_names import private_dictionary
from dicomweb.dicom.attributes import INSTANCE, SERIES, STUDY
from dicomweb.dicom.json_model import dumps
from dicomweb.dicom.media_types import DICOM_JSON, DICOM_XML, JSON, Offer, choose
from dicomweb.dicom.query import Query, parse_query
from dicomweb.dicom.xml_model import to_xml
from dicomweb.errors import InvalidQuery
from dicomweb.transactions.paging import search_page
from dicomweb.transactions.search import count

router = APIRouter(tags=[STUDIES_SERVICE])

_LONGEST_QUERY = 64 * 1024  # characters
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


@router.get("/studies/count")
def count_studies(request: Request) -> Response:
    return _count(request, STUDY, {})


@router.get("/series/count")
def count_series(request: Request) -> Response:
    return _count(request, SERIES, {})


@router.get("/instances/count")
def count_instances(request: Request) -> Response:
    return _count(request, INSTANCE, {})


@router.get("/studies/{study}/series/count")
def count_series_of_study(request: Request, study: str) -> Response:
    return _count(request, SERIES, {_STUDY_UID: study})


@router.get("/studies/{study}/instances/count")
def count_instances_of_study(request: Request, study: str) -> Response:
    return _count(request, INSTANCE, {_STUDY_UID: study})


@router.get("/studies/{study}/series/{series}/instances/count")
def count_instances_of_series(request: Request, study: str, series: str) -> Response:
    return _count(request, INSTANCE, {_STUDY_UID: study, _SERIES_UID: series})


def _search(request: Request, level: str, path: dict[str, str]) -> Response:
    offer = choose(accept_of(request), [Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True)])
    query = _query(request, level, path)
    base = base_url(request)
    page = search_page(archive_of(request), query, base, _reader(request))
    if offer.multipart and not page.rows:
        response = Response(status_code=204)  # there is no multipart body without a part (RFC 2046 §5.1)
    elif offer.multipart:
        parts = [({"Content-Type": DICOM_XML}, [to_xml(row)]) for row in page.rows]
        response = multipart_answer(DICOM_XML, parts, {})
    else:
        response = Response(dumps(page.rows), media_type=offer.name)
    # PS3.18 §10.6.3.1 and §8.3.4.4 have these said in a Warning; RFC 7234 §5.5 gives its form.
    if page.remaining:
        count = page.remaining if page.is_exact else f"at least {page.remaining}"
        after = query.offset + len(page.rows)
        more = f"There are {count} additional results that can be requested, from offset={after} on"
        response.headers.append("Warning", f'299 {base} "{more}"')
    _say_what_was_ignored(response, query, base)
    response.headers["Vary"] = "Accept"
    return response


def _count(request: Request, level: str, path: dict[str, str]) -> Response:
    """How many rows a search has, as dcm4chee answers it (an extension)."""
    choose(accept_of(request), [Offer(JSON), Offer(DICOM_JSON)])
    query = _query(request, level, path)
    response = Response(dumps({"count": count(archive_of(request), query)}), media_type=JSON)
    _say_what_was_ignored(response, query, base_url(request))
    return response


def _query(request: Request, level: str, path: dict[str, str]) -> Query:
    check_uids(*path.values())
    if len(request.url.query) > _LONGEST_QUERY:
        raise InvalidQuery(f"the query has {len(request.url.query)} characters; expected at most {_LONGEST_QUERY}")
    if wrong := re.search(r"%(?![0-9A-Fa-f]{2}).{0,2}", request.url.query):
        raise InvalidQuery(f"{wrong[0]!r} in the query: expected % and two hexadecimal digits (RFC 3986 §2.1)")
    settings = settings_of(request)
    return parse_query(
        level,
        parse_qsl(request.url.query, keep_blank_values=True),
        path,
        private_dictionary(settings.Dictionary, settings.DefaultPrivateCreator),
        ignore_unknown=settings.IgnoreUnknownKeys,
    )


def _reader(request: Request) -> str:
    """What tells one user agent from another, as far as it can be told."""
    address = request.headers.get("x-forwarded-for", "").split(",")[0] or (
        request.client.host if request.client else ""
    )
    return f"{address} {request.headers.get('user-agent', '')}"


def _say_what_was_ignored(response: Response, query: Query, base: str) -> None:
    if query.ignored:
        names = ", ".join(name for name in query.ignored if name.isascii() and name.isprintable() and '"' not in name)
        response.headers.append("Warning", f'299 {base} "ignored: {names[:500]}"')
