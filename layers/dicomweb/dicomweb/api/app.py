"""The application: routers put together for one host, and the one table of error statuses."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb import errors
from dicomweb.api.authorization import IDENTITY_IN_SCOPE, Authorizing, challenges, origins_pattern
from dicomweb.api.observing import Observing, note_route, record_of
from dicomweb.archive import Archive, connect
from dicomweb.identity import EVERYBODY, Identity
from dicomweb.settings import Settings, settings

log = logging.getLogger(__name__)

# Error → status (PS3.18 §8.5, RFC 9110 §15).
STATUS_OF: dict[type[errors.DicomWebError], int] = {
    errors.BadRequest: 400,
    errors.InvalidDicom: 400,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.TooManyFailures: 429,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.NotAcceptable: 406,
    errors.CannotTranscode: 406,
    errors.SearchTooBroad: 413,
    errors.UnsupportedMediaType: 415,
    errors.RangeNotSatisfiable: 416,
    errors.AddressRefused: 403,
    errors.JobRefused: 400,
    errors.RemoteFailed: 502,
    errors.RemoteUnavailable: 504,
    errors.NotFoundThere: 404,
    errors.UserAgentGone: 499,  # nobody sees it; nginx has this number for it
    errors.ArchiveRefused: 500,
    errors.ArchiveBusy: 503,
}
_TITLES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 410: "Gone", 413: "Content Too Large",
    415: "Unsupported Media Type", 416: "Range Not Satisfiable", 429: "Too Many Requests", 499: "User Agent Gone",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip

STUDIES_SERVICE, URI_SERVICE = "Studies Service", "URI Service"  # tags of routers: PS3.18 chapters 10 and 9
ORTHANC = "Orthanc"  # routes that Orthanc has outside these services

# What a page of another origin may read of an answer (Fetch Standard §3.3).
_EXPOSED = [
    "Content-Location",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "Warning",
    "WWW-Authenticate",
]

# Seconds in which a request must be answered, on a host that has such a limit. Set by the Lambda host.
SECONDS_IN_SCOPE = "dicomweb.seconds"


def create_app(*routers: APIRouter, archive: Archive | None = None, lifespan: Any = None) -> FastAPI:
    """One application of these routers: all of them on the ASGI host and in tests, one in each Lambda function."""
    archive = archive or connect(settings())
    app = FastAPI(title="DICOMweb", openapi_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.archive = archive
    app.state.mounts = mounted(routers, archive.settings)
    for root, router in app.state.mounts:
        app.include_router(router, prefix=root, dependencies=[Depends(note_route)])
    app.add_middleware(_TrailingSlash)
    app.add_middleware(_IfNoneMatchAny)
    app.add_middleware(_Head)
    app.add_middleware(Authorizing, archive=archive, answer=_refused)
    if archive.settings.AllowedOrigins:
        app.add_middleware(
            CORSMiddleware,
            allow_origin_regex=origins_pattern(archive.settings),
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
            max_age=600,
        )
    app.add_middleware(Observing, archive=archive)
    for kind, status in STATUS_OF.items():
        app.add_exception_handler(kind, _answer_with(status))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


def mounted(routers: Iterable[APIRouter], settings: Settings) -> list[tuple[str, APIRouter]]:
    """Where each router is served, by its tag; those of services that are off are left out."""
    section = settings.DicomWeb
    services = {
        STUDIES_SERVICE: (section.Enable, section.Root),
        URI_SERVICE: (section.EnableWado, section.WadoRoot),
        ORTHANC: (section.Enable, ""),
    }
    return [(root, router) for router in routers for enabled, root in [services[str(router.tags[0])]] if enabled]


def _refused(request: Request, error: errors.DicomWebError) -> JSONResponse:
    """The answer to who is not let in."""
    status = STATUS_OF[type(error)]
    record_of(request.scope).reason = type(error).__name__
    headers = {"WWW-Authenticate": challenges(settings_of(request))} if status == 401 else {}
    return error_response(request, status, str(error), headers)


class _Head:
    """HEAD is GET without a body (RFC 9110 §9.3.2): what makes the body is stopped once the headers are there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send(message if message["type"] == "http.response.start" else {"type": message["type"], "body": b""})
            if message["type"] != "http.response.start":
                raise _Answered

        try:
            await self._app(dict(scope, method="GET"), receive, send_head)
        except* _Answered:
            pass


class _IfNoneMatchAny:
    """`If-None-Match: *` is 304 where there is something, and what would be an error stays one (RFC 9110 §13.1.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or Headers(scope=scope).get("if-none-match") != "*":
            await self._app(scope, receive, send)
            return

        async def send_if_none(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 206):
                headers = Headers(raw=message["headers"])
                if "etag" in headers:
                    kept = [(name, value) for name, value in headers.raw if not name.startswith(b"content-")]
                    await send(dict(message, status=304, headers=kept))
                    await send({"type": "http.response.body", "body": b""})
                    raise _Answered
            await send(message)

        try:
            await self._app(scope, receive, send_if_none)
        except* _Answered:
            pass


class _Answered(Exception):
    """Nothing more of an answer is wanted."""


class _TrailingSlash:
    """`/studies/` is `/studies`: Orthanc takes both, and a redirect would lose the body of a store."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/":
            scope = dict(scope, path=scope["path"].rstrip("/"))
        await self._app(scope, receive, send)


_Handler = Callable[[Request, Any], Awaitable[JSONResponse]]


def _answer_with(status: int) -> _Handler:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        record_of(request.scope).reason = type(error).__name__
        length = getattr(error, "length", None)
        headers = {} if length is None else {"Content-Range": f"bytes */{length}"}  # RFC 9110 §14.4
        return error_response(request, status, str(error), headers)

    return answer


async def _http_error(request: Request, error: Any) -> JSONResponse:
    if error.status_code == 405:
        allow = ", ".join(_methods(request))
        message = f"{request.method} is not possible here; expected {allow}"
        return error_response(request, 405, message, {"Allow": allow})
    message = "no such resource; the Studies Service is described in PS3.18 chapter 10, the URI Service in chapter 9"
    return error_response(request, error.status_code, message)


def _methods(request: Request) -> list[str]:
    """The methods of all routes that have the request's path."""
    found: set[str] = set()
    for root, router in request.app.state.mounts:
        path = request.scope["path"].removeprefix(root)
        for route in router.routes:
            if isinstance(route, Route | APIRoute) and route.path_regex.fullmatch(path):
                found |= route.methods or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", exc_info=error)
    record_of(request.scope).reason = type(error).__name__
    return error_response(request, 500, "an unexpected error; the server's log has it")


def error_response(request: Request, status: int, message: str, headers: Any = None) -> JSONResponse:
    """What went wrong and what was expected, in the fields of Orthanc's errors."""
    body = {
        "HttpStatus": status,
        "HttpError": _TITLES.get(status, ""),
        "Message": message,
        "Method": request.method,
        "Uri": request.url.path,
    }
    return JSONResponse(body, status, headers)


def archive_of(request: Request) -> Archive:
    """The archive of the application that serves a request, as who asks may see it."""
    archive: Archive = request.app.state.archive
    return archive.seen_by(identity_of(request))


def identity_of(request: Request) -> Identity:
    """Who asks."""
    identity: Identity = request.scope.get(IDENTITY_IN_SCOPE, EVERYBODY)
    return identity


def settings_of(request: Request) -> Settings:
    return archive_of(request).settings
