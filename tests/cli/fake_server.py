"""A Studies Service that misbehaves on purpose, on a real socket, and a client of it that does not wait long."""

import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from cli.retries import Retries
from cli.service import StudiesService
from dicomweb.dicom.multipart import read_parts
from dicomweb.dicom.part10 import read_file
from dicomweb.dicom.store_response import Failed, Stored, store_response
from dicomweb.transactions.upload import Upload
from local.stack import free_port

Send = Callable[[dict[str, Any]], Awaitable[None]]
QUICK = 0.01  # seconds of the first pause


@dataclass
class FakeServer:
    """Remembers what it was sent, and answers a store with what `answer` makes of the UIDs.

    Attributes:
        answer: (number of the request from 1, UIDs of its instances, bytes) → status, body, headers; None hangs up.
    """

    answer: Callable[[int, list[str], int], tuple[int, Any, dict[str, str]] | None]
    remembers: bool = False  # whether a search finds what it was sent
    requests: list[list[str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["method"] == "GET":
            await _respond(send, 200, self._page(scope["query_string"].decode()), {})
            return
        content_type = dict(scope["headers"])[b"content-type"].decode()
        uids = []
        for part in read_parts([body], content_type.rpartition("boundary=")[2], Upload):
            uids.append(read_file(b"".join(part.content.chunks(0)), "ascii").instance)
            part.content.close()
        with self.lock:
            self.requests.append(uids)
            number = len(self.requests)
        if (answered := self.answer(number, uids, len(body))) is None:
            # Headers that promise more than comes: uvicorn then closes the connection.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            return
        await _respond(send, *answered)

    def _page(self, query: str) -> list[Any]:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        start = int(asked["offset"])
        uids = [uid for request in self.requests for uid in request] if self.remembers else []
        return [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids[start : start + int(asked["limit"])]]


async def _respond(send: Send, status: int, body: Any, headers: dict[str, str]) -> None:
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": content})


def all_stored(uids: list[str], failed: dict[str, int] | None = None) -> tuple[int, Any, dict[str, str]]:
    """A Store Instances Response: stored but for those that failed, with their reason."""
    reasons = failed or {}
    outcomes: list[Stored | Failed] = [
        Failed(number, reasons[uid], "as told", uid) if uid in reasons else Stored("1", "1", uid, "1")
        for number, uid in enumerate(uids, 1)
    ]
    return (*store_response(outcomes, "", "http://x"), {})


@contextmanager
def serving_asgi(app: Any) -> Iterator[str]:
    """The URL of an ASGI application, as long as it is served."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def quick_client(url: str, attempts: int = 4) -> Iterator[StudiesService]:
    service = StudiesService(url, retries=Retries(attempts, QUICK), timeout_s=30)
    try:
        yield service
    finally:
        service.close()
