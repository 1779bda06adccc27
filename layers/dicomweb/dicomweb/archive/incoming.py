"""Objects that somebody else put into the bucket: read, removed, set aside. Each by its version, where it has one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dicomweb.archive.s3_client import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Received:
    """An object as it was put there.

    Attributes:
        size: bytes.
    """

    content_type: str
    size: int
    chunks: Iterator[bytes]


class IncomingObjects:
    """Those of one bucket. An object that is put again has another version: none is removed unread."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def open(self, key: str, version: str) -> Received:
        """Raises NotFound when it is not there any more."""
        with translated(key):
            answer = self._client.get_object(**self._named(key, version))
        return Received(answer.get("ContentType", ""), answer["ContentLength"], _chunks(key, answer["Body"]))

    def remove(self, key: str, version: str) -> None:
        with translated(key):
            self._client.delete_object(**self._named(key, version))

    def copy(self, key: str, version: str, target: str) -> None:
        """To another key, without a byte of it passing through here."""
        with translated(key):
            self._client.copy(self._named(key, version), self._bucket, target)

    def _named(self, key: str, version: str) -> Any:
        return {"Bucket": self._bucket, "Key": key, **({"VersionId": version} if version else {})}


def _chunks(key: str, body: Any) -> Iterator[bytes]:
    with translated(key), closing(body):
        yield from body.iter_chunks(_CHUNK)
