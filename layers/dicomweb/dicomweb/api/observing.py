"""What is told of every request: metrics, and a record of who did what. Nothing of it has names of patients or queries.

A request's record is made when it comes in; what a route and its handler know is added to it on the way.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from anyio import to_thread
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb.api.authorization import IDENTITY_IN_SCOPE
from dicomweb.archive import Archive
from dicomweb.identity import NOBODY
from dicomweb.metrics import BYTES, COUNT, MILLISECONDS, emit

log = logging.getLogger(__name__)

_RECORD = "dicomweb.record"
_UIDS = {
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
    "studyUID": "StudyInstanceUID",
    "seriesUID": "SeriesInstanceUID",
    "objectUID": "SOPInstanceUID",
}
_NAMES = ("name", "job", "upload", "identifier")  # of a path: a remote server, a job, an upload, Orthanc's identifier
_LONGEST = 128  # characters of something that a user agent named
_MOST_RESOURCES = 100  # of a record


@dataclass(slots=True)
class Record:
    """What became of a request.

    Attributes:
        transaction: as OpenAPI names the operation; "" where no route was found.
        named: UIDs and names of the request's path.
        resources: UIDs or identifiers of what was stored, sent, or retrieved.
        reason: why it failed, the class of an error; "" where it did not.
    """

    transaction: str = ""
    named: dict[str, str] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)
    reason: str = ""
    status: int = 0
    received: int = 0
    sent: int = 0


def record_of(scope: Scope) -> Record:
    """The record of a request; one that nobody reads where it is not observed."""
    found: Record = scope.setdefault(_RECORD, Record())
    return found


async def note_route(request: Request) -> None:
    """What a route knows: its name, and what its path and the URI Service's parameters name."""
    record = record_of(request.scope)
    record.transaction = operation_name(request.scope["route"].name)
    said = {name: str(value) for name, value in (*request.query_params.items(), *request.path_params.items())}
    record.named = {_UIDS[name]: said[name][:_LONGEST] for name in _UIDS if name in said} | {
        name.capitalize(): said[name][:_LONGEST] for name in _NAMES if name in request.path_params
    }


def note_resources(request: Request, resources: Iterable[str]) -> None:
    """What a handler knows: what a request is about that its path does not name."""
    record_of(request.scope).resources = list(dict.fromkeys(each[:_LONGEST] for each in resources))[:_MOST_RESOURCES]


def note_name(request: Request, kind: str, name: str) -> None:
    """A job, say, that a request has begun."""
    record_of(request.scope).named[kind] = name[:_LONGEST]


def operation_name(name: str) -> str:
    """The name of an operation from that of its handler: retrieve_study → RetrieveStudy."""
    return "".join(word.capitalize() for word in name.split("_"))


class Observing:
    """Tells of each request when its answer is done, or cut."""

    def __init__(self, app: ASGIApp, archive: Archive) -> None:
        self._app = app
        self._archive = archive
        self._namespace = archive.settings.MetricsNamespace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record, started = record_of(scope), time.perf_counter()

        async def receive_counted() -> Message:
            message = await receive()
            record.received += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            record.sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive_counted, send_counted)
        finally:
            await self._tell(scope, record, (time.perf_counter() - started) * 1000)

    async def _tell(self, scope: Scope, record: Record, milliseconds: float) -> None:
        if record.transaction:
            self._measure(record, milliseconds)
        identity = scope.get(IDENTITY_IN_SCOPE)
        if identity is NOBODY or not self._archive.settings.AuditLogGroup:
            return
        told = _told(scope, record, identity.name if identity else "")
        await to_thread.run_sync(keep_record, self._archive, told)

    def _measure(self, record: Record, milliseconds: float) -> None:
        measured = {
            "Requests": (COUNT, 1),
            "Latency": (MILLISECONDS, milliseconds),
            "ReceivedBytes": (BYTES, record.received),
            "SentBytes": (BYTES, record.sent),
        }
        emit(self._namespace, {"Transaction": record.transaction}, measured)
        if record.status >= 400 or not record.status:
            reason = record.reason or f"Status{record.status}"
            emit(self._namespace, {"Transaction": record.transaction, "Reason": reason}, {"Failures": (COUNT, 1)})


def _told(scope: Scope, record: Record, who: str) -> dict[str, Any]:
    source = (scope.get("client") or ("",))[0]
    more: dict[str, Any] = dict(record.named)
    if record.resources:
        more["resources"] = record.resources
    if record.reason:
        more["reason"] = record.reason
    return audit_record(who, source, record.transaction or scope["method"], record.status, **more)


def keep_record(archive: Archive, record: dict[str, Any]) -> None:
    """Write a record into the audit log; where that cannot be, it is in this log, and counted."""
    if failure := archive.audit.write(record):
        log.error("the audit record could not be written: %s", failure, extra={"record": record})
        emit(archive.settings.MetricsNamespace, {}, {"AuditFailures": (COUNT, 1)})


def audit_record(who: str, source: str, transaction: str, status: int, **more: Any) -> dict[str, Any]:
    """Who did what, from where, and what became of it."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "who": who,
        "source": source,
        "transaction": transaction,
        "status": status,
        "outcome": "success" if 0 < status < 400 else "failure",
        **more,
    }
