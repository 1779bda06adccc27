"""Ways to write an answer: JSON that is gzipped already, and multipart bodies that stream."""

import hashlib
import re
from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from email.utils import formatdate
from urllib.parse import unquote

from fastapi import Request, Response
from fastapi.concurrency import iterate_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from dicomweb.api.app import archive_of
from dicomweb.archive.rows import InstanceRow
from dicomweb.dicom.media_types import MULTIPART
from dicomweb.dicom.multipart import new_boundary, write_end, write_part
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import InvalidUID
from dicomweb.transactions.instances import find_instances

# Paths of resources (PS3.18 §10.1).
STUDY_PATH = "/studies/{study}"
SERIES_PATH = STUDY_PATH + "/series/{series}"
INSTANCE_PATH = SERIES_PATH + "/instances/{instance}"

# A list in the scope, where a host has put one, for the object of S3 that an answer's body is: it need not be written
# again to be redirected to.
STORED_OBJECT = "dicomweb.object"

_AT_ONCE, _MOST_CHUNKS = 1024 * 1024, 8  # bytes and chunks of a body that cross threads together

Part = tuple[dict[str, str], Iterable[bytes]]  # headers, content


def check_uids(*uids: str) -> None:
    """Raises InvalidUID for a path segment that is no UID (PS3.5 §9.1)."""
    for uid in uids:
        if not is_uid(uid):
            raise InvalidUID(f"{uid!r} is no UID; expected digits and dots, at most 64 characters")


def find_instance(request: Request, study: str, series: str, instance: str) -> InstanceRow:
    """Raises InvalidUID, NotFound."""
    check_uids(study, series, instance)
    return find_instances(archive_of(request), study, series, instance)[0]


def url_of(base: str, row: InstanceRow) -> str:
    """The URL of an instance."""
    return f"{base}/studies/{row.study}/series/{row.series}/instances/{row.instance}"


def accept_of(request: Request) -> str:
    """The Accept header; the query parameter `accept` overrides it (PS3.18 §8.3.3.1)."""
    # A media type may have a plus sign that nobody escaped: it is a space only behind what separates media types.
    parameters = (pair.partition("=") for pair in request.url.query.split("&"))
    written = next((value for name, _, value in parameters if name == "accept"), "")
    asked = unquote(re.sub(r"(,|;|%2C|%3B)\+", r"\1 ", written, flags=re.IGNORECASE))
    return asked or ", ".join(request.headers.getlist("accept"))


def validators(etag: str, changed_s: int, *, immutable: bool = False) -> dict[str, str]:
    """Headers by which an answer is kept and asked for again (RFC 9110 §8.8, RFC 9111 §5.2, RFC 8246).

    Args:
        changed_s: seconds since 1970.
        immutable: what the URL names never changes; otherwise the ETag is asked for each time.
    """
    return {
        "ETag": etag,
        "Last-Modified": formatdate(changed_s, usegmt=True),
        "Cache-Control": "private, max-age=86400, immutable" if immutable else "private, no-cache",
        "Vary": "Accept",
    }


def not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    """304 for a user agent that has this already (RFC 9110 §13.1.2); `*` is decided once there is an answer."""
    known = re.findall(r'(?:W/)?("[^"]*")', request.headers.get("if-none-match", ""))
    return Response(status_code=304, headers=headers) if headers["ETag"] in known else None


def multipart_answer(
    media_type: str, parts: Iterable[Part], headers: dict[str, str], sizes: list[int] | None = None, status: int = 200
) -> Response:
    """A multipart/related answer, written as its parts come.

    Args:
        sizes: bytes of each part with its headers, when they are known: then the answer has a Content-Length.
    """
    # The same bytes under the same ETag; it is made from digests of the content, which cannot hold it.
    boundary = hashlib.sha256(headers["ETag"].encode()).hexdigest()[:48] if "ETag" in headers else new_boundary()
    body = _multipart_body(boundary, parts)
    # The first bytes are made before the status goes out: what fails at once is a clean error.
    start = next(body)
    if sizes is not None:
        overhead = len(write_part(boundary, {})) * len(sizes) + len(write_end(boundary))
        headers = headers | {"Content-Length": str(sum(sizes) + overhead)}
    content_type = f'{MULTIPART}; type="{media_type}"; boundary={boundary}'
    return streamed(resumed(body, start), status, headers | {"Content-Type": content_type})


def streamed(body: Iterable[bytes], status: int, headers: dict[str, str]) -> StreamingResponse:
    """An answer whose body is made on another thread; some chunks cross over to the event loop at a time.

    A body that is a generator is closed when the user agent goes away, and with it what it reads from.
    """
    return _Streamed(_batches(body), status, headers)


def resumed(body: Iterator[bytes], *taken: bytes) -> Iterator[bytes]:
    """A body from which something was taken already."""
    yield from taken
    yield from body


class _Streamed(StreamingResponse):
    def __init__(self, batches: Generator[list[bytes]], status: int, headers: dict[str, str]) -> None:
        self._batches = batches
        super().__init__(self._chunks(), status, headers)

    async def _chunks(self) -> AsyncIterator[bytes]:
        async for batch in iterate_in_threadpool(self._batches):
            for chunk in batch:
                yield chunk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._batches.close()  # without it connections would wait for the garbage collector


def _batches(body: Iterable[bytes]) -> Generator[list[bytes]]:
    batch, size = [], 0
    try:
        for chunk in body:
            batch.append(chunk)
            size += len(chunk)
            if size >= _AT_ONCE or len(batch) == _MOST_CHUNKS:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch
    finally:
        if isinstance(body, Generator):
            body.close()


def header_bytes(headers: dict[str, str]) -> int:
    """The bytes that a part's headers take."""
    return sum(len(f"{name}: {value}\r\n") for name, value in headers.items())


def etag_of(*content: str) -> str:
    """An entity tag for what is made of this content."""
    return f'"{hashlib.sha256(" ".join(content).encode()).hexdigest()[:40]}"'


def _multipart_body(boundary: str, parts: Iterable[Part]) -> Iterator[bytes]:
    for headers, content in parts:
        yield write_part(boundary, headers)
        yield from content
    yield write_end(boundary)
