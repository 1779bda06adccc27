"""Metadata of instances, series and studies (PS3.18 §10.4.1.1.2)."""

from fastapi import APIRouter, Request, Response

from dicomweb.api.answers import INSTANCE_PATH, SERIES_PATH, STUDY_PATH, accept_of, check_uids, find_instance
from dicomweb.api.app import STUDIES_SERVICE, archive_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.media_types import DICOM_JSON, JSON, Offer, choose, parse_accept
from dicomweb.errors import NotFound
from dicomweb.transactions import metadata
from dicomweb.transactions.metadata import Document

router = APIRouter(tags=[STUDIES_SERVICE])


@router.get(STUDY_PATH + "/metadata")
def retrieve_study_metadata(request: Request, study: str) -> Response:
    check_uids(study)
    offer = _metadata_offer(request)
    base = base_url(request)
    return _answer(request, metadata.study_metadata(archive_of(request), study, base), offer.name, base)


@router.get(SERIES_PATH + "/metadata")
def retrieve_series_metadata(request: Request, study: str, series: str) -> Response:
    check_uids(study, series)
    offer = _metadata_offer(request)
    archive, base = archive_of(request), base_url(request)
    row = archive.index.one_series(study, series)
    if row is None:
        raise NotFound(f"no series {series} in study {study}")
    return _answer(request, metadata.series_metadata(archive, row, base), offer.name, base)


@router.get(INSTANCE_PATH + "/metadata")
def retrieve_instance_metadata(request: Request, study: str, series: str, instance: str) -> Response:
    offer = _metadata_offer(request)
    base = base_url(request)
    row = find_instance(request, study, series, instance)
    return _answer(request, metadata.instance_metadata(archive_of(request), row, base), offer.name, base)


def _metadata_offer(request: Request) -> Offer:
    return choose(accept_of(request), [Offer(DICOM_JSON), Offer(JSON)])


def _answer(request: Request, document: Document, media_type: str, base: str) -> Response:
    """Metadata, as stored in gzip when the user agent takes it."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    codings = parse_accept(request.headers.get("accept-encoding", "identity"))
    if any(coding.name in ("gzip", "*") and coding.quality > 0 for coding in codings):
        headers["Content-Encoding"] = "gzip"
        return Response(document.gzipped(base), media_type=media_type, headers=headers)
    return Response(document.text(base), media_type=media_type, headers=headers)
