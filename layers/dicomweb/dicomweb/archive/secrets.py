"""Secrets: JSON documents in Secrets Manager, under names that are used once. One that is there is never changed."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.archive.s3_client import AGENT, code_of
from dicomweb.errors import ArchiveBusy, ArchiveRefused, NotFound

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_REFUSALS = frozenset({"AccessDeniedException", "ValidationException", "InvalidParameterException"})
_MOST_KNOWN = 256  # secrets that a process remembers


class Secrets:
    """Those whose names have one beginning."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._known: dict[str, dict[str, Any]] = {}

    def keep(self, kind: str, secret: dict[str, Any]) -> str:
        """Keep a secret; its name."""
        name = f"{self._prefix}{kind}/{uuid.uuid4().hex}"
        with _translated():
            self._client.create_secret(Name=name, SecretString=json.dumps(secret))
        return name

    def read(self, name: str) -> dict[str, Any]:
        """Raises NotFound."""
        if name not in self._known:
            with _translated():
                text = self._client.get_secret_value(SecretId=name)["SecretString"]
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            self._known[name] = json.loads(text)
        return self._known[name]

    def forget(self, name: str) -> None:
        """Remove a secret for good; one that is not there is no error."""
        self._known.pop(name, None)
        with suppress(NotFound), _translated():
            self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    @cached_property
    def _client(self) -> "SecretsManagerClient":
        config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard"}, user_agent=AGENT)
        return boto3.client("secretsmanager", config=config)


@contextmanager
def _translated() -> Iterator[None]:
    """Foreign errors become ours, once."""
    try:
        yield
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            raise NotFound("a secret is gone") from error
        if code_of(error) in _REFUSALS:
            raise ArchiveRefused(f"Secrets Manager refused it: {code_of(error)}") from error
        raise ArchiveBusy(f"Secrets Manager answered {code_of(error)}") from error
    except BotoCoreError as error:
        raise ArchiveBusy(f"Secrets Manager did not answer: {type(error).__name__}") from error
