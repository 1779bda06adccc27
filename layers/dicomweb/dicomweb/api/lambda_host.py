"""The Lambda host: routers behind API Gateway, and answers over the Lambda limit by way of S3."""

import hashlib
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import anyio.to_thread
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils
from fastapi import APIRouter, Request
from mangum import Mangum
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb.api.answers import STORED_OBJECT
from dicomweb.api.app import SECONDS_IN_SCOPE, create_app
from dicomweb.api.authorization import IDENTITY_IN_SCOPE
from dicomweb.api.authorizer import identity_from
from dicomweb.api.urls import PREFIX_IN_SCOPE, base_url
from dicomweb.archive import Archive
from dicomweb.archive.object_writer import PART, ObjectWriter
from dicomweb.identity import ROLES, Identity

_MARGIN_S = 8  # seconds that are left, when work for a request ends, to tell what became of it
_KEPT_HEADERS = (b"warning", b"etag", b"vary")

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

logger = Logger()


def lambda_handler(*routers: APIRouter) -> Handler:
    """The handler of a function that serves these routers."""
    utils.copy_config_to_registered_loggers(logger, include={"dicomweb"})
    app = create_app(*routers)
    app.add_middleware(Redirecting, archive=app.state.archive)
    text_types = ["application/dicom+json", "application/json", "text/"]
    host = Mangum(app, lifespan="off", text_mime_types=text_types)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        logger.set_correlation_id(event.get("requestContext", {}).get("requestId"))
        answer: dict[str, Any] = host(event, context)
        # No query string, no header: patients' names and credentials are in them.
        about = {"method": event.get("httpMethod"), "path": event.get("path"), "status": answer["statusCode"]}
        logger.info("answered", extra=about)
        return answer

    return handler


class Redirecting:
    """Passes small answers through; writes large ones to S3 as they come and answers 307 with a presigned URL.

    What makes the answer does not know. An answer with an ETag is written once, and redirected to again; one that is an
    object of S3 already is not written at all.
    """

    def __init__(self, app: ASGIApp, archive: Archive) -> None:
        section = archive.settings.DicomWeb
        self._app = app
        self._archive = archive
        self._roots = (section.Root, section.WadoRoot)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"], scope[PREFIX_IN_SCOPE] = self._placed(scope)
        told = _told(scope.get("aws.event", {}))
        if told or self._archive.settings.AuthenticationEnabled:
            scope[IDENTITY_IN_SCOPE] = told
        if remaining := getattr(scope.get("aws.context"), "get_remaining_time_in_millis", None):
            scope[SECONDS_IN_SCOPE] = max(1.0, remaining() / 1000 - _MARGIN_S)
        if scope["method"] not in ("GET", "POST"):
            await self._app(scope, receive, send)
            return
        scope[STORED_OBJECT] = []
        answer = _Answer(self._archive, scope, send)
        try:
            await self._app(scope, receive, answer.take)
        except _Redirected:
            pass
        except BaseException:
            await answer.abandon()
            raise

    def _placed(self, scope: Scope) -> tuple[str, str]:
        """(path as the routers have it, what stands before it in the URL that was asked for).

        A stage is in requestContext.path alone, the base path of a custom domain is in both.
        """
        path: str = scope["path"]
        asked: str = scope.get("aws.event", {}).get("requestContext", {}).get("path", "")
        starts = [path.find(root) for root in self._roots if f"{path}/".find(f"{root}/") >= 0]
        path = path[min(starts) :] if starts else path
        return path, asked[: -len(path)] if asked.endswith(path) else ""


def _told(event: dict[str, Any]) -> Identity | None:
    """Who asks, as API Gateway says: by its authorizer, or by AWS's signatures, whose policies say what they may."""
    context = event.get("requestContext", {})
    if authorizer := context.get("authorizer"):
        return identity_from(authorizer)
    arn = context.get("identity", {}).get("userArn")
    return Identity(arn, ROLES) if arn else None


class _Redirected(Exception):
    """The answer is there already; nothing more of it need be made."""


class _Answer:
    def __init__(self, archive: Archive, scope: Scope, send: Send) -> None:
        self._storage = archive.storage
        self._limit = archive.settings.RedirectOverBytes
        self._seconds = archive.settings.RedirectSeconds
        self._scope = scope
        self._send = send
        self._start: Message = {}
        self._body = bytearray()
        self._writer: ObjectWriter | None = None

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if self._is_large(int(self._header("content-length") or 0)):
                await self._reuse()
            return
        last = not message.get("more_body", False)
        self._body += message.get("body", b"")
        if not self._writer and not self._is_large(len(self._body)):
            if last:
                await self._send(self._start)
                await self._send({"type": "http.response.body", "body": bytes(self._body)})
            return
        if not last and len(self._body) < PART:
            return
        await anyio.to_thread.run_sync(self._write, last)
        if last and self._writer:
            await self._redirect(self._writer.key)

    async def abandon(self) -> None:
        """Leave nothing behind of an answer that failed half-way."""
        if self._writer:
            await anyio.to_thread.run_sync(self._writer.abort)

    def _is_large(self, size: int) -> bool:
        return self._start["status"] in (200, 206) and size > self._limit

    def _write(self, last: bool) -> None:
        if not self._writer:
            content_type, encoding = self._header("content-type"), self._header("content-encoding")
            self._writer = self._storage.writer(self._content_key(), content_type, encoding)
        self._writer.write(self._body)
        self._body = bytearray()
        if last:
            self._writer.finish()

    async def _reuse(self) -> None:
        stored = next(iter(self._scope[STORED_OBJECT]), "")
        is_known = self._header("etag") and self._scope["method"] == "GET"
        key = stored or (self._content_key() if is_known else "")
        if key and await anyio.to_thread.run_sync(self._storage.state, key):
            await self._redirect(key)
            raise _Redirected

    async def _redirect(self, key: str) -> None:
        url = await anyio.to_thread.run_sync(self._storage.presign, key, self._seconds)
        # What the answer says about itself is said here: the object in S3 does not.
        kept = [(name, value) for name, value in self._start["headers"] if name in _KEPT_HEADERS]
        headers = [(b"location", url.encode()), (b"content-length", b"0"), (b"cache-control", b"no-store"), *kept]
        # What answers a POST is fetched by a GET (RFC 9110 §15.4.4); anything else in the way it was asked for.
        status = 303 if self._scope["method"] == "POST" else 307
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})

    def _content_key(self) -> str:
        """Where the answer goes: by what it is made of when an ETag says so, else nowhere that anything else goes.

        The service's address is in answers too (Content-Location), and so in the key.
        """
        request = Request(self._scope)
        known = [
            (self._header("etag") if self._scope["method"] == "GET" else "") or uuid4().hex,
            self._header("content-type").partition("boundary=")[0],
            self._header("content-encoding"),
            self._header("content-range"),
            base_url(request),
            request.url.path,
            request.url.query,
        ]
        return f"responses/{hashlib.sha256(chr(0).join(known).encode()).hexdigest()}"

    def _header(self, name: str) -> str:
        return next((value.decode("latin-1") for key, value in self._start["headers"] if key.decode() == name), "")
