"""A remote server of this project whose requests wait at a gate, and who tells how many instances it was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import anyio.to_thread
from moto.dynamodb.responses import DynamoHandler
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.builders import an_archive
from tests.conformance.conftest import serving_app

_REFERENCED = "00081199"


@dataclass
class Remote:
    """The server.

    Attributes:
        stored: instances that stores named as stored, each time one did.
        asked: paths of what was retrieved.
        waiting: how many requests stand at the gate.
        busy: how many it has begun and not ended.
        refuses: answers 503 instead.
    """

    archive: Archive
    url: str = ""
    stored: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    waiting: int = 0
    busy: int = 0
    refuses: bool = False
    _gate: threading.Event = field(default_factory=threading.Event)

    def close_gate(self) -> None:
        """Let stores and retrieves wait."""
        self._gate.clear()

    def open_gate(self) -> None:
        self._gate.set()

    def wrapping(self, app: ASGIApp) -> ASGIApp:
        """An application behind the gate."""

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            self.busy += 1
            try:
                await gated(scope, receive, send)
            finally:
                self.busy -= 1

        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"].endswith("/instances"):  # a search
                await app(scope, receive, send)
                return
            self.waiting += 1
            await anyio.to_thread.run_sync(self._gate.wait)
            self.waiting -= 1
            if self.refuses:
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            body = b""

            async def told(message: Message) -> None:
                nonlocal body
                body += message.get("body", b"") if scope["method"] == "POST" else b""
                await send(message)

            self.asked += [scope["path"]] if scope["method"] == "GET" else []
            await app(scope, receive, told)
            if scope["method"] == "POST":
                items = json.loads(body).get(_REFERENCED, {}).get("Value", ())
                self.stored += [item["00081155"]["Value"][0] for item in items]

        return wrapped


@contextmanager
def one_writer_at_a_time() -> Iterator[None]:
    """Moto's tables cannot be written by two threads at once."""
    lock, call = threading.RLock(), DynamoHandler.call_action

    def call_alone(handler: DynamoHandler) -> Any:
        with lock:
            return call(handler)

    with patch.object(DynamoHandler, "call_action", call_alone):
        yield


@contextmanager
def a_remote() -> Iterator[Remote]:
    """One with an archive of its own in moto, its gate open."""
    archive = an_archive("remote-", AllowedNetworks=["127.0.0.0/8"])
    remote = Remote(archive)
    remote.open_gate()
    with one_writer_at_a_time(), serving_app(remote.wrapping(make_app(archive))) as url:
        remote.url = url
        try:
            yield remote
        finally:
            remote.open_gate()
