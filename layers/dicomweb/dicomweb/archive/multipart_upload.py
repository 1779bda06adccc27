"""An object of S3 that comes in parts."""

from typing import IO, TYPE_CHECKING

from s3transfer.utils import ReadFileChunk

from dicomweb.archive.s3_client import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class MultipartUpload:
    """Send parts, in any order and side by side, then finish or abort. Nothing is at the key before it is finished."""

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        key: str,
        content_type: str,
        *,
        content_encoding: str = "",
        metadata: dict[str, str] | None = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        encoding = {"ContentEncoding": content_encoding} if content_encoding else {}
        with translated(key):
            answer = client.create_multipart_upload(
                Bucket=bucket,
                Key=key,
                ContentType=content_type,
                Metadata=metadata or {},
                **encoding,  # type: ignore[arg-type]
            )
        self._id = answer["UploadId"]

    def send(self, number: int, content: bytearray | ReadFileChunk) -> str:
        """One part, 5 MiB or more unless it is the last; its ETag."""
        with translated(self._key):
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._id,
                PartNumber=number,
                Body=content,  # type: ignore[arg-type]
            )
        return answer["ETag"]

    def send_file(self, content: IO[bytes], size: int, part_bytes: int) -> list[str]:
        """A file, part after part; their ETags. It is read as it is sent: memory is that of a buffer, not of parts."""
        etags = []
        for number, start in enumerate(range(0, size, part_bytes), 1):
            content.seek(start)
            etags.append(self.send(number, ReadFileChunk(content, part_bytes, size)))
        return etags

    def finish(self, etags: list[str], condition: dict[str, str]) -> None:
        """Make one object of the parts, if the condition (IfMatch, IfNoneMatch) holds."""
        self._client.complete_multipart_upload(
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._id,
            MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]},
            **condition,  # type: ignore[arg-type]
        )

    def abort(self) -> None:
        """Leave no parts behind."""
        with translated(self._key):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._id)
