"""Answers of which a part can be asked for (RFC 9110 §14)."""

import re
from collections.abc import Callable, Iterator

from fastapi import Request, Response

from dicomweb.api.answers import streamed
from dicomweb.errors import RangeNotSatisfiable


def ranged_answer(
    request: Request, length: int, open_: Callable[[int, int], Iterator[bytes]], headers: dict[str, str]
) -> Response:
    """200 with all bytes, or 206 with those that `Range` names.

    Args:
        open_: the bytes from a start on, so many of them.
    Raises:
        RangeNotSatisfiable: it starts behind the last byte.
    """
    headers = headers | {"Accept-Ranges": "bytes"}
    wanted = _wanted(request, length, headers["ETag"])
    if wanted is None:
        return streamed(open_(0, length), 200, headers | {"Content-Length": str(length)})
    start, end = wanted
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{length}", "Content-Length": str(end - start)}
    return streamed(open_(start, end - start), 206, headers)


def _wanted(request: Request, length: int, etag: str) -> tuple[int, int] | None:
    """[start, end) of the one range that is asked for; None for everything."""
    match = re.fullmatch(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", request.headers.get("range", ""))
    # Several ranges may be answered with everything, and so is one of what has changed (RFC 9110 §14.2, §13.1.5).
    if not match or match.groups() == ("", "") or request.headers.get("if-range", etag) != etag:
        return None
    first, last = match.groups()
    if not first:
        start, end = max(length - int(last), 0), length
    else:
        start, end = int(first), min(int(last) + 1, length) if last else length
        if last and int(last) < start:
            return None
    if start >= length or (not first and int(last) == 0):
        raise RangeNotSatisfiable(f"Range {match[0].strip()}: there are {length} bytes", length)
    return start, end
