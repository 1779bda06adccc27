"""Objects that somebody else put into the bucket: read, removed, set aside. Each by its version, where it has one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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


class ReceivedPart(NamedTuple):
    """A part of an object; size in bytes."""

    etag: str
    size: int


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

    def start(self, key: str, content_type: str) -> str:
        """Begin an object that comes in parts, from whoever has their URLs; S3's name of the upload."""
        with translated(key):
            answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, ContentType=content_type)
        return answer["UploadId"]

    def part_url(self, key: str, upload: str, number: int, seconds: int) -> str:
        """Where a part may be put for some time."""
        named = {"Bucket": self._bucket, "Key": key, "UploadId": upload, "PartNumber": number}
        return self._client.generate_presigned_url("upload_part", Params=named, ExpiresIn=seconds)

    def parts(self, key: str, upload: str) -> dict[int, ReceivedPart]:
        """The parts that are there, by number.

        Raises:
            NotFound: the upload is finished or aborted.
        """
        with translated(key):
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self._bucket, Key=key, UploadId=upload)
            found = [part for page in pages for part in page.get("Parts", ())]
        return {part["PartNumber"]: ReceivedPart(part["ETag"], part["Size"]) for part in found}

    def finish(self, key: str, upload: str, parts: dict[int, ReceivedPart]) -> None:
        """Make one object of the parts."""
        named: Any = [{"PartNumber": number, "ETag": parts[number].etag} for number in sorted(parts)]
        with translated(key):
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": named}
            )

    def abort(self, key: str, upload: str) -> None:
        """Leave no parts behind.

        Raises:
            NotFound: the upload is finished or aborted.
        """
        with translated(key):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

    def _named(self, key: str, version: str) -> Any:
        return {"Bucket": self._bucket, "Key": key, **({"VersionId": version} if version else {})}


def _chunks(key: str, body: Any) -> Iterator[bytes]:
    with translated(key), closing(body):
        yield from body.iter_chunks(_CHUNK)
