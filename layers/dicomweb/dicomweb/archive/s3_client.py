"""The client of S3: how it is set up, and its errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.errors import ArchiveBusy, ArchiveRefused, NotFound
from dicomweb.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AGENT = "dicomweb"  # botocore's own is composed anew for every call, at a sixth of its cost

_REFUSALS = frozenset({"AccessDenied", "403", "NoSuchBucket", "EntityTooLarge", "KeyTooLongError", "InvalidRequest"})


def connect_client(settings: Settings) -> "S3Client":
    """A client that waits and retries as the settings say."""
    config = Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=settings.HttpTimeout,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=32,
        user_agent=AGENT,
        # S3 checks what it keeps and TLS what comes: a third hash of every byte is a fifth of a retrieve's CPU.
        response_checksum_validation="when_required",
    )
    return boto3.client("s3", config=config)


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Foreign errors become ours, once."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in ("NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"):
            raise NotFound(f"no object {key}") from error
        if code_of(error) in _REFUSALS:
            raise ArchiveRefused(f"storage refused it: {code_of(error)}") from error
        raise ArchiveBusy(f"storage answered {code_of(error)}") from error
    except BotoCoreError as error:
        raise ArchiveBusy(f"storage did not answer: {type(error).__name__}") from error


def code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
