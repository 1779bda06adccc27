"""Processes that are killed with SIGKILL at one of their writes: the ASGI host, and the function of the queue."""

import itertools
import os
import signal
import socket
import threading
from typing import Any

import uvicorn
from botocore.httpsession import URLLib3Session

from dicomweb.api.asgi import make_app
from dicomweb.jobs.ingest import ingest_handler


def serve(variables: dict[str, str], listening: socket.socket, *dies: Any) -> None:
    """The host."""
    os.environ.update(variables)
    _die_at(*dies)
    uvicorn.Server(uvicorn.Config(make_app(), log_level="error")).run(sockets=[listening])


def ingest(variables: dict[str, str], event: dict[str, Any], *dies: Any) -> None:
    """The function."""
    os.environ.update(variables)
    _die_at(*dies)
    assert ingest_handler()(event, None) == {"batchItemFailures": []}


def _die_at(write: int = 0, when: str = "") -> None:
    """Let the process be killed before or after its n-th call of AWS that writes; 0 for never."""
    if not write:
        return
    send, numbers, one_at_a_time = URLLib3Session.send, itertools.count(1), threading.Lock()

    def send_or_die(session: Any, request: Any) -> Any:
        if not _writes(request):
            return send(session, request)
        with one_at_a_time:  # none is under way when the process is killed
            is_last = next(numbers) == write
            if is_last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = send(session, request)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

    URLLib3Session.send = send_or_die  # type: ignore[method-assign,assignment]


def _writes(request: Any) -> bool:
    target = request.headers.get("X-Amz-Target", b"")
    operation = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
    if operation:
        return operation in ("TransactWriteItems", "PutItem", "DeleteItem")
    return request.method not in ("GET", "HEAD")
