"""Objects of MiniStack's S3 stay in their files: a read touches what it asks for, and memory does not grow with them.

MiniStack keeps each version of an object in memory beside its file, and reads whole files to answer for a range.
"""

import mmap
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack import app
from ministack.services import s3

SEAMS = [
    (s3, "_get_object"), (s3, "_read_body"), (s3, "_persist_object"), (s3, "_object_disk_path"),
    (s3, "_object_versions"), (app, "_send_response"), (app, "_asgi_header_list"),
]  # fmt: skip

_MAPPED = 64 * 1024  # bytes from which a file is mapped
_CHUNK = 1024 * 1024  # bytes

_is_answered: ContextVar[bool] = ContextVar("is_answered", default=False)


def keep_objects_in_files() -> None:
    """Map a file where it is the answer to a GET, and forget the bytes of a version that is in its file."""
    get, read_body, persist = s3._get_object, s3._read_body, s3._persist_object

    def get_mapped(*arguments: Any) -> Any:
        token = _is_answered.set(True)
        try:
            return get(*arguments)
        finally:
            _is_answered.reset(token)

    def read_mapped(bucket: str, key: str, obj: Any) -> Any:
        if not _is_answered.get() or obj.get("body") is not None or obj["size"] < _MAPPED:
            return read_body(bucket, key, obj)
        with open(s3._object_disk_path(bucket, key), "rb") as file:  # noqa: PTH123 — MiniStack's paths are text
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def persist_and_forget(bucket: str, key: str, obj: Any) -> None:
        persist(bucket, key, obj)
        if isinstance(obj, dict) and obj.get("body") is None:
            for version in s3._object_versions.get((bucket, key), ()):
                if version["version_id"] == obj.get("version_id"):
                    version["data"] = None

    s3._get_object, s3._read_body, s3._persist_object = get_mapped, read_mapped, persist_and_forget
    app._send_response = _sending_mapped(app._send_response)


def _sending_mapped(send_response: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def send_mapped(send: Any, status: int, headers: Any, body: Any, **options: Any) -> None:
        if not isinstance(body, mmap.mmap):
            await send_response(send, status, headers, body, **options)
            return
        with body:
            listed = app._asgi_header_list({**headers, "Content-Length": str(len(body))})
            await send({"type": "http.response.start", "status": status, "headers": listed})
            for start in range(0, len(body), _CHUNK):
                chunk = body[start : start + _CHUNK]
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_mapped
