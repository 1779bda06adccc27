"""S3: the stored bytes, metadata objects, and ranged reads of them. Threads live here and nowhere else."""

import base64
import gzip
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from dicomweb.archive.incoming import IncomingObjects
from dicomweb.archive.multipart_upload import MultipartUpload
from dicomweb.archive.object_reader import ObjectReader
from dicomweb.archive.object_writer import ObjectWriter
from dicomweb.archive.s3_client import code_of, connect_client, translated
from dicomweb.errors import ArchiveBusy
from dicomweb.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteObjectsOutputTypeDef, ObjectIdentifierTypeDef

_MB = 1024 * 1024
_THREADS = 8
_WORKERS = 2  # decoding keeps a processor busy each
_AT_ONCE = 4 * _MB  # bytes of an object that is read ahead as a whole
_ONE_PUT = 64 * _MB  # bytes; more goes up in parts
_PART = 16 * _MB
# An object without a row that is younger than this may belong to a writer that is still at work.
_IN_FLIGHT = timedelta(minutes=15)

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What S3 says of an object, without its bytes."""

    sha256: str
    etag: str
    size: int
    is_in_flight: bool
    about: dict[str, str]  # the metadata it was written with


class Listed(NamedTuple):
    """An object in a list."""

    key: str
    size: int
    changed: datetime

    @property
    def is_in_flight(self) -> bool:
        """Whether it may belong to a writer that is still at work."""
        return datetime.now(UTC) - self.changed < _IN_FLIGHT


class Storage:
    """One bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._reader = ObjectReader(client, bucket)
        self.incoming = IncomingObjects(client, bucket)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="storage")
        # Work that waits for calls has threads of its own: it would wait for itself otherwise.
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="work")

    @classmethod
    def connect(cls, settings: Settings) -> "Storage":
        return cls(connect_client(settings), settings.Bucket)

    def submit(self, function: Callable[..., T], *arguments: object) -> "Future[T]":
        """Run one call on a storage thread."""
        return self._threads.submit(function, *arguments)

    def map_ahead(self, function: Callable[[T], U], inputs: Iterable[T], ahead: int) -> Iterator[U]:
        """function over inputs, in order, with at most `ahead` results waiting: memory stays bounded."""
        return _map(self._threads, function, inputs, ahead)

    def submit_work(self, function: Callable[..., T], *arguments: object) -> "Future[T]":
        """Run what computes, and calls this storage itself, on a thread for that."""
        return self._workers.submit(function, *arguments)

    def map_work(self, function: Callable[[T], U], inputs: Iterable[T], ahead: int) -> Iterator[U]:
        """The same for work, on its own threads."""
        return _map(self._workers, function, inputs, ahead)

    def read_soon(self, key: str, size: int) -> Iterator[bytes]:
        """The bytes of an object: read at once when they are few, as they are taken when they are many."""
        return iter([self.read_bytes(key)]) if size <= _AT_ONCE else self.open(key)

    def create_instance(self, key: str, content: IO[bytes], size: int, sha256: bytes) -> bool:
        """Store the bytes of an instance unless the key is taken; True when they were stored.

        A conditional write guards the first writer; S3 checks the SHA-256 of what goes up in one piece.
        """
        try:
            self._put_instance(key, content, size, sha256, {"IfNoneMatch": "*"})
        except _Taken:
            return False
        return True

    def replace_instance(self, key: str, content: IO[bytes], size: int, sha256: bytes, etag: str) -> bool:
        """Store the bytes of an instance over the object that has this ETag; False when it is another by now."""
        try:
            self._put_instance(key, content, size, sha256, {"IfMatch": etag})
        except _Taken:
            return False
        return True

    def state(self, key: str) -> ObjectState | None:
        """What is at a key, None when there is nothing."""
        with translated(key):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise
        age = datetime.now(UTC) - head["LastModified"]
        about = head["Metadata"]
        return ObjectState(about.get("sha256", ""), head["ETag"], head["ContentLength"], age < _IN_FLIGHT, about)

    def objects(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """The objects whose keys start with prefix and come after one, in their order; a thousand a call."""
        with translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                for each in page.get("Contents", ()):
                    yield Listed(each["Key"], each["Size"], each["LastModified"])

    def folders(self, prefix: str, after: str = "") -> Iterator[str]:
        """What stands between prefix and the next slash in keys, in their order."""
        with translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/", StartAfter=after and f"{prefix}{after}/~"
            )
            for page in pages:
                for each in page.get("CommonPrefixes", ()):
                    yield each["Prefix"][len(prefix) : -1]

    def write_gzip(self, key: str, content: bytes, metadata: dict[str, str]) -> None:
        """Store a gzipped JSON object."""
        with translated(key):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType="application/dicom+json",
                ContentEncoding="gzip",
                Metadata=metadata,
            )

    def write(
        self, key: str, content: bytes, content_type: str = "application/octet-stream", content_encoding: str = ""
    ) -> None:
        """Store an object in one piece."""
        encoding = {"ContentEncoding": content_encoding} if content_encoding else {}
        with translated(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type, **encoding)  # type: ignore[arg-type]

    def read(self, key: str) -> tuple[bytes, dict[str, str]]:
        """A whole small object and its metadata; raises NotFound."""
        with translated(key):
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            return answer["Body"].read(), answer["Metadata"]

    def read_gzip(self, key: str) -> bytes:
        """A whole small object, inflated."""
        return gzip.decompress(self.read_bytes(key))

    def read_bytes(self, key: str) -> bytes:
        """A whole small object; raises NotFound."""
        return self._reader.read(key)

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """length bytes from start."""
        return self._reader.read_range(key, start, length)

    def open(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of an object, or of a range of it, in chunks; nothing is read before the first is asked for.

        The call itself is made at once, so that a missing object is known before an answer begins.
        """
        return self._reader.open(key, start, length)

    def delete(self, keys: list[str]) -> dict[str, str]:
        """Delete objects, a thousand a call; what is not there is no error.

        Returns the version of the delete marker that now hides each key: deleting that brings the object back.
        """
        markers: dict[str, str] = {}
        for start in range(0, len(keys), 1000):
            answer = self._delete([{"Key": key} for key in keys[start : start + 1000]])
            markers |= {each["Key"]: each.get("DeleteMarkerVersionId", "") for each in answer.get("Deleted", ())}
        return markers

    def undelete(self, key: str, marker: str) -> None:
        """Take a delete marker away."""
        self._delete([{"Key": key, "VersionId": marker}])

    def delete_markers(self, prefix: str) -> dict[str, str]:
        """Deleted objects that can be brought back: their keys, and the marker that hides each."""
        markers: dict[str, str] = {}
        versions: set[str] = set()
        with translated(prefix):
            pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                versions |= {each["Key"] for each in page.get("Versions", ())}
                hidden = (each for each in page.get("DeleteMarkers", ()) if each["IsLatest"])
                markers |= {each["Key"]: each["VersionId"] for each in hidden}
        return {key: marker for key, marker in markers.items() if key in versions}

    def _delete(self, objects: "list[ObjectIdentifierTypeDef]") -> "DeleteObjectsOutputTypeDef":
        with translated(objects[0]["Key"]):
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects})
        if failures := answer.get("Errors"):
            raise ArchiveBusy(f"{len(failures)} objects could not be deleted: {failures[0].get('Code')}")
        return answer

    def start_upload(
        self, key: str, content_type: str, *, content_encoding: str = "", metadata: dict[str, str] | None = None
    ) -> MultipartUpload:
        """Begin an object that comes in parts."""
        return MultipartUpload(
            self._client, self._bucket, key, content_type, content_encoding=content_encoding, metadata=metadata
        )

    def writer(self, key: str, content_type: str, content_encoding: str = "") -> ObjectWriter:
        """Write an object as it comes."""
        return ObjectWriter(self, key, content_type, content_encoding)

    def presign(self, key: str, seconds: int) -> str:
        """A URL that reads one object for some time."""
        parameters = {"Bucket": self._bucket, "Key": key}
        return self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)

    def _put_instance(self, key: str, content: IO[bytes], size: int, sha256: bytes, condition: dict[str, str]) -> None:
        content.seek(0)
        with translated(key):
            try:
                if size <= _ONE_PUT:
                    self._client.put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=content,
                        ContentType="application/dicom",
                        ChecksumSHA256=base64.b64encode(sha256).decode(),
                        Metadata={"sha256": sha256.hex()},
                        **condition,  # type: ignore[arg-type]
                    )
                else:
                    self._put_in_parts(key, content, size, sha256, condition)
            except ClientError as error:
                if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                    raise _Taken(key) from error
                raise

    def _put_in_parts(self, key: str, content: IO[bytes], size: int, sha256: bytes, condition: dict[str, str]) -> None:
        upload = self.start_upload(key, "application/dicom", metadata={"sha256": sha256.hex()})
        try:
            upload.finish(upload.send_file(content, size, _PART), condition)
        except BaseException:
            upload.abort()
            raise


def _map(threads: ThreadPoolExecutor, function: Callable[[T], U], inputs: Iterable[T], ahead: int) -> Iterator[U]:
    waiting: deque[Future[U]] = deque()
    try:
        for each in inputs:
            waiting.append(threads.submit(function, each))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # who takes no more wants no more
        for future in waiting:
            future.cancel()


class _Taken(Exception):
    """The condition of a write does not hold."""
