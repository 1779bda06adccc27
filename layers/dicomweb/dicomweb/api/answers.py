"""Ways to write an answer: JSON that is gzipped already, and multipart bodies that stream."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import unquote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from dicomweb.dicom.media_types import MULTIPART, parse_accept
from dicomweb.dicom.multipart import new_boundary, write_end, write_part
from dicomweb.dicom.uids import is_uid
from dicomweb.errors import InvalidUID
from dicomweb.transactions.metadata import Document

Part = tuple[dict[str, str], Iterable[bytes]]  # headers, content


def check_uids(*uids: str) -> None:
    """Raises InvalidUID for a path segment that is no UID (PS3.5 §9.1)."""
    for uid in uids:
        if not is_uid(uid):
            raise InvalidUID(f"{uid!r} is no UID; expected digits and dots, at most 64 characters")


def accept_of(request: Request) -> str:
    """The Accept header; the query parameter `accept` overrides it (PS3.18 §8.3.3.1)."""
    # A media type may have a plus sign that nobody escaped: it is no space here.
    parameters = (pair.partition("=") for pair in request.url.query.split("&"))
    asked = next((unquote(value) for name, _, value in parameters if name == "accept"), "")
    return asked or ", ".join(request.headers.getlist("accept"))


def not_modified(request: Request, etag: str) -> Response | None:
    """304 for a user agent that has this already (RFC 9110 §13.1.2)."""
    known = request.headers.get("if-none-match", "")
    return Response(status_code=304, headers={"ETag": etag}) if etag in known or known == "*" else None


def metadata_answer(request: Request, document: Document, media_type: str, base: str) -> Response:
    """Metadata, as stored in gzip when the user agent takes it."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    codings = parse_accept(request.headers.get("accept-encoding", "identity"))
    if any(coding.name in ("gzip", "*") and coding.quality > 0 for coding in codings):
        headers["Content-Encoding"] = "gzip"
        return Response(document.gzipped(base), media_type=media_type, headers=headers)
    return Response(document.text(base), media_type=media_type, headers=headers)


def multipart_answer(
    media_type: str, parts: Iterable[Part], headers: dict[str, str], sizes: list[int] | None = None
) -> Response:
    """A multipart/related answer, written as its parts come.

    Args:
        sizes: bytes of each part with its headers, when they are known: then the answer has a Content-Length.
    """
    boundary = new_boundary()
    body = _multipart_body(boundary, parts)
    # The first bytes are made before the status goes out: what fails at once is a clean error.
    start = next(body)
    if sizes is not None:
        overhead = len(write_part(boundary, {})) * len(sizes) + len(write_end(boundary))
        headers = headers | {"Content-Length": str(sum(sizes) + overhead)}
    content_type = f'{MULTIPART}; type="{media_type}"; boundary={boundary}'
    return StreamingResponse(chain([start], body), headers=headers | {"Content-Type": content_type})


def header_bytes(headers: dict[str, str]) -> int:
    """The bytes that a part's headers take."""
    return sum(len(f"{name}: {value}\r\n") for name, value in headers.items())


def etag_of(*content: str) -> str:
    """An entity tag for what is made of this content."""
    return f'"{hashlib.sha256(" ".join(content).encode()).hexdigest()[:40]}"'


def _multipart_body(boundary: str, parts: Iterable[Part]) -> Iterator[bytes]:
    for headers, content in parts:
        before = write_part(boundary, headers)
        for chunk in content:
            yield before + chunk if before else chunk
            before = b""
        if before:
            yield before
    yield write_end(boundary)
