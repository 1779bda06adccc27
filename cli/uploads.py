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
        sent = [0]
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
            self._bar.advance(-sent[0])
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

    def _put_parts(self, file: Identified, session: dict[str, Any], sent: list[int]) -> None:
        """Put the parts whose URLs a session gives, until all are there or a URL's time is over."""
        size = session["PartSize"]
        for part in session["Parts"]:
            start = (part["PartNumber"] - 1) * size
            length = min(size, file.source.size - start)
            if not self._put(file, part["Url"], start, length, sent):
                return

    def _put(self, file: Identified, url: str, start: int, length: int, sent: list[int]) -> bool:
        """Put one part; whether its URL could still be used."""
        fault = ""
        for attempt in range(1, self._retries.attempts + 1):
            before, answer = sent[0], None
            try:
                answer = self._service.put(url, self._content(file, start, length, sent), length)
            except httpx.TransportError as error:
                fault = fault_of(error)
            if answer is not None:
                if answer.is_success:
                    return True
                fault = message_of(answer)
            self._bar.advance(before - sent[0])
            sent[0] = before
            if answer is not None and answer.status_code < 500 and answer.status_code not in RETRIED:
                if answer.status_code == _EXPIRED and attempt == 1:
                    return False
                raise Refused(f"upload: a part was refused: {fault}", answer.status_code)
            if attempt < self._retries.attempts:
                self._retries.pause(attempt, answer)
        raise Refused(f"upload: a part failed {self._retries.attempts} times: {fault}", 0)

    def _content(self, file: Identified, start: int, length: int, sent: list[int]) -> Iterator[bytes]:
        with file.source.open() as content:
            content.seek(start)
            while length and (chunk := content.read(min(_CHUNK, length))):
                if self._retries.stop.is_set():
                    raise Stopped
                length -= len(chunk)
                sent[0] += len(chunk)
                self._bar.advance(len(chunk))
                yield chunk


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
