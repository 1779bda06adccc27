"""The Lambda host: routers behind API Gateway, and answers over the Lambda limit by way of S3."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import anyio.to_thread
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils
from fastapi import APIRouter, Request
from mangum import Mangum
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb.api.app import create_app
from dicomweb.api.urls import PREFIX_IN_SCOPE, base_url
from dicomweb.archive import Archive
from dicomweb.archive.storage import Storage

# A response of a function is at most 6 MB, and binary grows by a third in base64.
LIMIT = 4_300_000  # bytes
_PART = 8 * 1024 * 1024  # bytes; S3 takes parts from 5 MiB on
_SECONDS = 900  # how long a redirect can be followed

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

logger = Logger()


def lambda_handler(*routers: APIRouter) -> Handler:
    """The handler of a function that serves these routers."""
    utils.copy_config_to_registered_loggers(logger, include={"dicomweb"})
    app = create_app(*routers)
    text_types = ["application/dicom+json", "application/json", "text/"]
    archive: Archive = app.state.archive
    section = archive.settings.DicomWeb
    redirecting = Redirecting(app, archive.storage, (section.Root, section.WadoRoot))
    host = Mangum(redirecting, lifespan="off", text_mime_types=text_types)

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

    What makes the answer does not know. An answer with an ETag is written once, and redirected to again.
    """

    def __init__(self, app: ASGIApp, storage: Storage, roots: tuple[str, ...]) -> None:
        self._app = app
        self._storage = storage
        self._roots = roots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"], scope[PREFIX_IN_SCOPE] = self._placed(scope)
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        answer = _Answer(self._storage, scope, send)
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


class _Redirected(Exception):
    """The answer is there already; nothing more of it need be made."""


class _Answer:
    def __init__(self, storage: Storage, scope: Scope, send: Send) -> None:
        self._storage = storage
        self._scope = scope
        self._send = send
        self._start: Message = {}
        self._body = bytearray()
        self._key = ""
        self._upload = ""
        self._etags: list[str] = []

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            if message["status"] == 200 and int(self._header("content-length") or 0) > LIMIT:
                await self._reuse()
            return
        self._body += message.get("body", b"")
        last = not message.get("more_body", False)
        if last and not self._upload and (len(self._body) <= LIMIT or self._start["status"] != 200):
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": bytes(self._body)})
            return
        if self._start["status"] == 200 and (len(self._body) > _PART or (last and self._body)):
            await self._write_part()
        if last:
            storage = self._storage
            await anyio.to_thread.run_sync(storage.finish_upload, self._key, self._upload, self._etags, {})
            await self._redirect()

    async def abandon(self) -> None:
        """Leave nothing behind of an answer that failed half-way."""
        if self._upload:
            await anyio.to_thread.run_sync(self._storage.abort_upload, self._key, self._upload)

    async def _reuse(self) -> None:
        self._key = self._content_key()
        if self._header("etag") and await self._exists():
            await self._redirect()
            raise _Redirected

    async def _exists(self) -> bool:
        return await anyio.to_thread.run_sync(self._storage.state, self._key) is not None

    async def _write_part(self) -> None:
        storage = self._storage
        if not self._upload:
            self._key = self._content_key()
            start = partial(storage.start_upload, content_encoding=self._header("content-encoding"))
            self._upload = await anyio.to_thread.run_sync(start, self._key, self._header("content-type"))
        content = bytes(self._body)
        self._body.clear()
        number = len(self._etags) + 1
        etag = await anyio.to_thread.run_sync(storage.upload_part, self._key, self._upload, number, content)
        self._etags.append(etag)

    async def _redirect(self) -> None:
        url = await anyio.to_thread.run_sync(self._storage.presign, self._key, _SECONDS)
        # What the answer says about itself is said here: the object in S3 does not.
        kept = [(name, value) for name, value in self._start["headers"] if name in (b"warning", b"etag", b"vary")]
        headers = [(b"location", url.encode()), (b"content-length", b"0"), (b"cache-control", b"no-store"), *kept]
        await self._send({"type": "http.response.start", "status": 307, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})

    def _content_key(self) -> str:
        """Where the answer goes: by what it is made of when an ETag says so, else nowhere that anything else goes.

        The service's address is in answers too (Content-Location), and so in the key.
        """
        request = Request(self._scope)
        known = [
            self._header("etag") or uuid4().hex,
            self._header("content-type").partition("boundary=")[0],
            self._header("content-encoding"),
            base_url(request),
            request.url.path,
            request.url.query,
        ]
        return f"responses/{hashlib.sha256(chr(0).join(known).encode()).hexdigest()}"

    def _header(self, name: str) -> str:
        return next((value.decode("latin-1") for key, value in self._start["headers"] if key.decode() == name), "")
