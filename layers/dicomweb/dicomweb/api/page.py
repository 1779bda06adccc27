"""The web page: its files, and what it must know of the server. All may have them: they are of no patient."""

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from dicomweb import __version__
from dicomweb.api.app import ORTHANC, STUDIES_SERVICE, archive_of, settings_of
from dicomweb.api.urls import base_url
from dicomweb.dicom.attribute_names import keywords
from dicomweb.dicom.media_types import JSON
from dicomweb.errors import NotFound

router = APIRouter(tags=[STUDIES_SERVICE])
front_door = APIRouter(tags=[ORTHANC])

_PAGE = "app/client/index.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": JSON,
    ".svg": "image/svg+xml",
}


class File(NamedTuple):
    """A file of the page."""

    content: bytes
    media_type: str
    etag: str


@cache
def _page() -> dict[str, File]:
    """The files by name."""
    contents = {each.name: each.read_bytes() for each in (files("dicomweb") / "page").iterdir()}
    contents["keywords.json"] = json.dumps(keywords(), separators=(",", ":")).encode()
    return {
        name: File(content, _TYPES[PurePath(name).suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
        for name, content in contents.items()
        if PurePath(name).suffix in _TYPES
    }


@front_door.get("/", include_in_schema=False)
def open_front_door(request: Request) -> Response:
    """To the page."""
    return _to(request, _PAGE)


@router.get("", include_in_schema=False)
def open_page(request: Request) -> Response:
    """To the page."""
    return _to(request, _PAGE)


@router.get("/docs", include_in_schema=False)
def open_docs(request: Request) -> Response:
    """To the description of the API, for people."""
    return _to(request, f"{_PAGE}#api")


@router.get("/app/client/{name}")
def retrieve_page(request: Request, name: str) -> Response:
    """A file of the page."""
    if (file := _page().get(name)) is None:
        raise NotFound(f"the page has no file {name[:64]!r}")
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers | _protection(request), media_type=file.media_type)


@router.get("/info")
def retrieve_info(request: Request) -> Response:
    """What this server is, and where it leads."""
    settings = settings_of(request)
    return JSONResponse(
        {
            "Name": "dicomweb",
            "Version": __version__,
            "Root": settings.DicomWeb.Root,
            "WadoRoot": settings.DicomWeb.WadoRoot,
            "AuthenticationEnabled": settings.AuthenticationEnabled,
            "ViewerUrl": settings.ViewerUrl,
        }
    )


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{base_url(request)}/{path}", 302)


def _protection(request: Request) -> dict[str, str]:
    """Only the page's own scripts run, and only this server and its bucket are asked (CSP Level 3)."""
    bucket = urlsplit(archive_of(request).storage.presign("page", 60))
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "connect-src": f"'self' {bucket.scheme}://{bucket.netloc}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
