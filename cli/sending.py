"""Batches of files on their way to a server: streamed, sent again, in halves, or alone, until each has an outcome."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from cli.errors import Refused, Stopped
from cli.outcomes import Failed, Stored, failed
from cli.progress import Bar
from cli.retries import RETRIED, Retries
from cli.service import StudiesService, fault_of, message_of, refused
from cli.sources import Identified, Unreadable
from cli.store_answer import read_answer
from cli.uploads import NoUploads, Uploads
from dicomweb.dicom.media_types import DICOM, DICOM_JSON, MULTIPART
from dicomweb.dicom.multipart import new_boundary, write_end, write_part

_CHUNK = 256 * 1024  # bytes read, and sent, at once
_TOO_LARGE = 413
_ANSWERED = frozenset({200, 202, 409})  # with a Store Instances Response (PS3.18 Table 10.5.3-1)
_MB = 1024 * 1024


@dataclass
class Limits:
    """The largest batch; a server that refuses one makes those after it smaller."""

    most_bytes: int = 64 * _MB
    most_files: int = 200

    def lower(self, refused_bytes: int) -> None:
        self.most_bytes = max(min(self.most_bytes, refused_bytes // 2), 1)


def batches(files: Iterable[Identified], limits: Limits) -> Iterator[list[Identified]]:
    """Files together, as far as the limits go. No batch has a UID twice, and what has none goes alone: an answer names
    instances by their UIDs."""
    batch: list[Identified] = []
    size, uids = 0, set[str]()
    for file in files:
        if not file.instance:
            yield [file]
            continue
        is_full = size + file.source.size > limits.most_bytes or len(batch) >= limits.most_files
        if batch and (is_full or file.instance in uids):
            yield batch
            batch, size, uids = [], 0, set()
        batch.append(file)
        size += file.source.size
        uids.add(file.instance)
    if batch:
        yield batch


class Sender:
    """Sends batches to a server; threads may share it."""

    def __init__(self, service: StudiesService, limits: Limits, bar: Bar) -> None:
        self._service = service
        self._retries: Retries = service.retries
        self._limits = limits
        self._bar = bar
        self._uploads = Uploads(service, bar)

    def send(self, files: Sequence[Identified], attempt: int = 1) -> Iterator[Stored | Failed]:
        """One outcome a file, as soon as it is known.

        Raises:
            Unreachable: nothing listens there any more.
            Refused: the server takes nothing from this user, or has no such service.
            Stopped: the user ended the command.
        """
        try:
            response = self._attempt(files)
        except _Broken as error:
            # Others of the batch may be whole: they are sent without it.
            yield failed(error.file, str(error))
            if rest := [file for file in files if file is not error.file]:
                yield from self.send(rest, attempt)
        except httpx.TransportError as error:
            yield from self._after_hang_up(files, attempt, error)
        else:
            yield from self._after_answer(files, attempt, response)

    def _attempt(self, files: Sequence[Identified]) -> httpx.Response:
        body = _Body(files, self._retries, self._bar)
        try:
            return self._service.post("studies", iter(body), body.headers)
        finally:
            # The bar shows what is done or under way: this is neither any more, and outcomes follow.
            self._bar.advance(-body.sent)

    def _after_hang_up(
        self, files: Sequence[Identified], attempt: int, error: httpx.TransportError
    ) -> Iterator[Stored | Failed]:
        has_no_connection = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        is_known = self._service.has_answered or not has_no_connection
        if is_known and attempt < self._retries.attempts:
            self._retries.pause(attempt)
            # A server may hang up on a body that is too large before its 413 can be read.
            for part in [files] if has_no_connection else _halves(files):
                yield from self.send(part, attempt + 1)
            return
        fault = f"no answer after {attempt} attempts: {fault_of(error)}"
        yield from (failed(file, fault) for file in files)
        if has_no_connection:
            raise self._service.unreachable(error) from error

    def _after_answer(
        self, files: Sequence[Identified], attempt: int, response: httpx.Response
    ) -> Iterator[Stored | Failed]:
        status = response.status_code
        if status == _TOO_LARGE:
            yield from self._in_halves(files, attempt, response)
        elif status in RETRIED and attempt < self._retries.attempts:
            self._retries.pause(attempt, response)
            yield from self.send(files, attempt + 1)
        elif status in (401, 403, 404, 405):
            raise refused(response)
        elif status in _ANSWERED:
            yield from self._by_instance(files, attempt, response)
        else:
            yield from (failed(file, message_of(response)) for file in files)

    def _in_halves(
        self, files: Sequence[Identified], attempt: int, response: httpx.Response
    ) -> Iterator[Stored | Failed]:
        size = sum(file.source.size for file in files)
        if len(files) == 1:
            yield from self._by_parts(files[0], message_of(response))
            return
        self._limits.lower(size)
        for half in _halves(files):
            yield from self.send(half, attempt)

    def _by_parts(self, file: Identified, refusal: str) -> Iterator[Stored | Failed]:
        """By an upload session, where the server has those."""
        try:
            answer = read_answer([file], self._uploads.send(file))
        except NoUploads:
            size = file.source.size / _MB
            yield failed(file, f"too large for the server, with {size:.1f} MiB by itself: {refusal}")
        except (Refused, Unreadable) as error:
            yield failed(file, str(error))
        else:
            yield from (*answer.outcomes, *answer.busy)

    def _by_instance(
        self, files: Sequence[Identified], attempt: int, response: httpx.Response
    ) -> Iterator[Stored | Failed]:
        try:
            body = response.json()
        except ValueError:
            body = {}
        answer = read_answer(files, body if isinstance(body, dict) else {})
        yield from answer.outcomes
        for file in answer.alone:
            yield from self.send([file], attempt)
        if answer.busy and attempt < self._retries.attempts:
            self._retries.pause(attempt, response)
            yield from self.send([failure.file for failure in answer.busy], attempt + 1)
        else:
            yield from answer.busy


def _halves(files: Sequence[Identified]) -> list[Sequence[Identified]]:
    middle = (len(files) + 1) // 2
    return [half for half in (files[:middle], files[middle:]) if half]


class _Broken(Exception):
    """A file that cannot be sent as it was announced."""

    def __init__(self, file: Identified, message: str) -> None:
        super().__init__(message)
        self.file = file


@dataclass
class _Body:
    """A multipart/related body, read from disk as it is sent."""

    files: Sequence[Identified]
    retries: Retries
    bar: Bar
    boundary: str = field(default_factory=new_boundary)
    sent: int = 0

    @property
    def headers(self) -> dict[str, str]:
        # With its length a server can refuse a body before it arrives.
        overhead = sum(len(self._head_of(file)) for file in self.files) + len(write_end(self.boundary))
        return {
            "Content-Type": f'{MULTIPART}; type="{DICOM}"; boundary={self.boundary}',
            "Content-Length": str(overhead + sum(file.source.size for file in self.files)),
            "Accept": DICOM_JSON,
        }

    def __iter__(self) -> Iterator[bytes]:
        """Chunks of some size: of thousands of small files each would cost a call of the kernel otherwise.

        Raises:
            _Broken, Stopped
        """
        waiting: list[bytes] = []
        size = 0
        for piece in self._pieces():
            if self.retries.stop.is_set():
                raise Stopped
            waiting.append(piece)
            size += len(piece)
            if size >= _CHUNK:
                yield b"".join(waiting)
                waiting, size = [], 0
        yield b"".join(waiting)

    def _pieces(self) -> Iterator[bytes]:
        for file in self.files:
            yield self._head_of(file)
            yield from self._content(file)
        yield write_end(self.boundary)

    def _content(self, file: Identified) -> Iterator[bytes]:
        left = file.source.size
        try:
            with file.source.open() as content:
                while left and (chunk := content.read(min(_CHUNK, left))):
                    left -= len(chunk)
                    self.sent += len(chunk)
                    self.bar.advance(len(chunk))
                    yield chunk
                if left or content.read(1):
                    raise _Broken(file, "the file changed while it was sent")
        except Unreadable as error:
            raise _Broken(file, str(error)) from error

    def _head_of(self, file: Identified) -> bytes:
        # With its length, a boundary inside pixel data ends nothing.
        return write_part(self.boundary, {"Content-Type": DICOM, "Content-Length": str(file.source.size)})
