"""Files that are too large for one request: upload sessions, whose parts are put straight into the server's bucket.

A part that fails is put again; a command that was ended and is started again goes on with the parts that are missing.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from cli.errors import Refused, Stopped
from cli.progress import Bar
from cli.retries import RETRIED, Retries
from cli.service import StudiesService, fault_of, message_of
from cli.sources import Identified
from dicomweb.dicom.json_model import DataSet
from dicomweb.dicom.media_types import DICOM

_CHUNK = 256 * 1024  # bytes
_POLL_S = 1.0
_MOST_KEPT = 1000  # sessions that are remembered
_EXPIRED = 403  # what S3 answers to a URL whose time is over
_REFUSALS = (400, 401, 403)  # of a server that has upload sessions


class NoUploads(Exception):
    """The server has no upload sessions."""


class Uploads:
    """Upload sessions of a server; threads may share it."""

    def __init__(self, service: StudiesService, bar: Bar) -> None:
        self._service = service
        self._retries: Retries = service.retries
        self._bar = bar
        self._kept = _Kept()

    def send(self, file: Identified) -> DataSet:
        """The Store Instances Response of one file.

        Raises:
            NoUploads.
            Refused: the server refuses it, or its parts.
            Unreachable, Unreadable, Stopped.
        """
        key = _key(self._service.url, file)
        path = self._kept.get(key)
        session = self._find(path) if path else None
        if session is None:
            session = self._begin(file)
            path = f"uploads/{session['Id']}"
            self._kept.put(key, path)
        sent = _Sent(self._bar)
        try:
            while session["State"] == "Receiving":
                self._put_parts(file, session, sent)
                session = self._session(path)
                if session["State"] == "Receiving" and not session["Parts"]:
                    self._checked(self._service.ask("POST", f"{path}/complete"))
                    session = self._session(path)
            while session["State"] != "Done":
                if self._retries.stop.wait(_POLL_S):
                    raise Stopped
                session = self._session(path)
        finally:
            sent.back_to(0)
        self._kept.forget(key)
        response: DataSet = session["Response"]
        return response

    def _begin(self, file: Identified) -> dict[str, Any]:
        answer = self._service.ask("POST", "uploads", {"Size": file.source.size, "ContentType": DICOM})
        if not answer.is_success and answer.status_code not in _REFUSALS:
            raise NoUploads
        return self._session(f"uploads/{self._checked(answer)['Id']}")

    def _find(self, path: str) -> dict[str, Any] | None:
        """A session that was begun earlier; None where it has expired."""
        answer = self._service.ask("GET", path)
        return None if answer.status_code == 404 else self._checked(answer)

    def _session(self, path: str) -> dict[str, Any]:
        return self._checked(self._service.ask("GET", path))

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        if not answer.is_success:
            raise Refused(f"upload: {message_of(answer)}", answer.status_code)
        document: dict[str, Any] = answer.json()
        return document

    def _put_parts(self, file: Identified, session: dict[str, Any], sent: "_Sent") -> None:
        """Put the parts whose URLs a session gives, until all are there or the time of the URLs is over."""
        size = session["PartSize"]
        for number, part in enumerate(session["Parts"]):
            start = (part["PartNumber"] - 1) * size
            answer = self._put(file, part["Url"], start, min(size, file.source.size - start), sent)
            if answer.status_code == _EXPIRED and number:
                return
            if not answer.is_success:  # also where a URL is new, and so cannot be over
                raise Refused(f"upload: a part was refused: {message_of(answer)}", answer.status_code)

    def _put(self, file: Identified, url: str, start: int, length: int, sent: "_Sent") -> httpx.Response:
        """Put one part, again where it may pass; the answer that does not change."""
        fault = ""
        for attempt in range(1, self._retries.attempts + 1):
            before, answer = sent.count, None
            try:
                answer = self._service.put(url, self._content(file, start, length, sent), length)
            except httpx.TransportError as error:
                fault = fault_of(error)
            else:
                if answer.is_success:
                    return answer
                fault = message_of(answer)
            sent.back_to(before)
            if answer is not None and answer.status_code < 500 and answer.status_code not in RETRIED:
                return answer
            if attempt < self._retries.attempts:
                self._retries.pause(attempt, answer)
        raise Refused(f"upload: a part failed {self._retries.attempts} times: {fault}", 0)

    def _content(self, file: Identified, start: int, length: int, sent: "_Sent") -> Iterator[bytes]:
        with file.source.open() as content:
            content.seek(start)
            while length and (chunk := content.read(min(_CHUNK, length))):
                if self._retries.stop.is_set():
                    raise Stopped
                length -= len(chunk)
                sent.advance(len(chunk))
                yield chunk


class _Sent:
    """Bytes on their way, as a bar shows them."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self.count = 0

    def advance(self, amount: int) -> None:
        self.count += amount
        self._bar.advance(amount)

    def back_to(self, count: int) -> None:
        """Take back what is to be sent again, or is counted elsewhere."""
        self.advance(count - self.count)


def _key(url: str, file: Identified) -> str:
    changed = Path(file.source.path).stat().st_mtime_ns
    return f"{url} {Path(file.source.path).resolve()} {file.source.member} {file.source.size} {changed}"


class _Kept:
    """Which sessions were begun for which files, kept for a command that is started again."""

    def __init__(self) -> None:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self._path = Path(home) / "dicomweb" / "uploads.json"
        self._lock = threading.Lock()

    def get(self, key: str) -> str:
        with self._lock:
            return self._read().get(key, "")

    def put(self, key: str, path: str) -> None:
        with self._lock:
            kept = self._read() | {key: path}
            self._write(dict(list(kept.items())[-_MOST_KEPT:]))

    def forget(self, key: str) -> None:
        with self._lock:
            self._write({name: path for name, path in self._read().items() if name != key})

    def _read(self) -> dict[str, str]:
        try:
            kept: dict[str, str] = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):  # nothing is remembered: what was begun expires by itself
            return {}
        return kept

    def _write(self, kept: dict[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(kept), "utf-8")
        new.replace(self._path)
