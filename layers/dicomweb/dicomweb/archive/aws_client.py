"""Clients of AWS's smaller services, and their errors as ours. S3 and DynamoDB have their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.archive.s3_client import AGENT, code_of
from dicomweb.errors import ArchiveBusy, ArchiveRefused, NotFound

_REFUSALS = frozenset({"AccessDeniedException", "ValidationException", "InvalidParameterException", "InvalidArn"})
_GONE = frozenset({"ResourceNotFoundException", "ExecutionDoesNotExist", "StateMachineDoesNotExist"})


def connect_service(service: Any) -> Any:
    """A client of a service, by its name in boto3."""
    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard"}, user_agent=AGENT)
    return boto3.client(service, config=config)


@contextmanager
def translated(service: str, missing: str) -> Iterator[None]:
    """Foreign errors become ours, once.

    Args:
        service: as messages call it.
        missing: the message where something is not there.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) in _GONE:
            raise NotFound(missing) from error
        if code_of(error) in _REFUSALS:
            raise ArchiveRefused(f"{service} refused it: {code_of(error)}") from error
        raise ArchiveBusy(f"{service} answered {code_of(error)}") from error
    except BotoCoreError as error:
        raise ArchiveBusy(f"{service} did not answer: {type(error).__name__}") from error
