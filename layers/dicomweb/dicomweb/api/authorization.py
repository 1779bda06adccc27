"""Who may do what: one table of roles for every route, obeyed by every host before a router sees a request."""

import re
from typing import Any
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from dicomweb.archive import Archive
from dicomweb.errors import DicomWebError, NotAllowed, NotAuthenticated
from dicomweb.identity import ADMIN, DELETE, EVERYBODY, NOBODY, READ, STORE, Identity
from dicomweb.settings import Settings
from dicomweb.transactions.authentication import authenticate

# Where a host that was told who asks puts it: the Lambda host, by its authorizer. Elsewhere it is found out here.
IDENTITY_IN_SCOPE = "dicomweb.identity"

OPEN = ""  # for everybody: it tells nothing of patients

# (methods, path below the root of its service) → the role that is needed; the first that fits counts.
_RULES = [
    (r"GET|HEAD", r"/health|/", OPEN),
    (r"OPTIONS", r".*", OPEN),
    (r"GET|HEAD", r"/app(/.*)?|/info|/openapi\.json|/docs", OPEN),
    (r".*", r"/(servers|jobs|conflicts)(/.*)?", ADMIN),
    (r"GET|POST|DELETE", r"/uploads(/.*)?", STORE),
    (r"POST", r"/studies/.*/undelete", DELETE),
    (r"POST", r"/studies/[^/]*/update-dicomweb-cache", STORE),
    (r"PUT", r"/studies/[^/]*/labels", ADMIN),
    (r"POST", r"/studies(/[^/]*)?", STORE),
    (r"DELETE", r"/studies/.*", DELETE),
    (r"GET|HEAD", r"/(studies|series|instances|patients)(/.*)?", READ),
    (r"GET|HEAD", r"", READ),  # the URI Service
    (r"POST", r"/tools/lookup", READ),
]
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def role_of(method: str, path: str) -> str | None:
    """The role that a request needs, "" for none; None where there is no such route.

    Args:
        path: below the root of its service.
    """
    for methods, pattern, role in _RULES:
        if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
            return role
    return None


class Authorizing:
    """Lets in who may do what they ask for; what has no rule here is for who administers."""

    def __init__(self, app: ASGIApp, archive: Archive, answer: Any) -> None:
        self._app = app
        self._archive = archive
        self._answer = answer
        section = archive.settings.DicomWeb
        self._roots = (section.Root, section.WadoRoot)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_origin(scope, self._archive.settings)
            role = role_of(scope["method"], self._path(scope["path"]))
            scope[IDENTITY_IN_SCOPE] = NOBODY if role == OPEN else await self._identity(scope)
            if role != OPEN and not scope[IDENTITY_IN_SCOPE].may(role or ADMIN):
                raise NotAllowed(f"this needs the role {role or ADMIN}")
        except DicomWebError as error:
            await self._answer(Request(scope), error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _path(self, path: str) -> str:
        path = path.rstrip("/") or "/"
        for root in self._roots:
            if path == root or path.startswith(f"{root}/"):
                below = path.removeprefix(root)
                return below or ("/" if root == self._roots[0] else "")
        return path

    async def _identity(self, scope: Scope) -> Identity:
        if IDENTITY_IN_SCOPE in scope:
            told: Identity | None = scope[IDENTITY_IN_SCOPE]
            if told is None:
                raise NotAuthenticated("nobody said who asks")
            return told
        if not self._archive.settings.AuthenticationEnabled:
            return EVERYBODY
        header = Headers(scope=scope).get("authorization", "")
        source = (scope.get("client") or ("",))[0]
        return await to_thread.run_sync(authenticate, self._archive, header, source)


def challenges(settings: Settings) -> str:
    """The header WWW-Authenticate (RFC 9110 §11.6.1)."""
    basic = 'Basic realm="dicomweb", charset="UTF-8"'
    return f'{basic}, Bearer realm="dicomweb"' if settings.OidcIssuer else basic


def is_allowed_origin(origin: str, settings: Settings) -> bool:
    """Whether a page of another origin may ask."""
    return re.fullmatch(origins_pattern(settings), origin) is not None


def origins_pattern(settings: Settings) -> str:
    """A regular expression of the origins that may ask, which matches nothing where none may."""
    patterns = (".*" if each == "*" else re.escape(each).replace(r"\*", r"\d{1,5}") for each in settings.AllowedOrigins)
    return "|".join(patterns) or r"(?!)"


def _check_origin(scope: Scope, settings: Settings) -> None:
    """Browsers send a user's password along with any page's request: what changes something is for pages that may.

    Raises:
        NotAllowed: the request is of another page.
    """
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if scope["method"] in _SAFE or origin is None or is_allowed_origin(origin, settings):
        return
    hosts = {headers.get(name, "").split(",")[0].strip() for name in ("host", "x-forwarded-host")}
    if urlsplit(origin).netloc not in hosts - {""}:
        raise NotAllowed(f"the origin {origin[:100]} is none of those that may ask; see the setting AllowedOrigins")
