"""Definitions of remote servers: in the table without what is secret, which Secrets Manager keeps."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dicomweb.archive import keys
from dicomweb.archive.s3_client import AGENT, code_of
from dicomweb.archive.table import Item, Table
from dicomweb.errors import ArchiveBusy, ArchiveRefused, NotFound
from dicomweb.server_definition import ServerDefinition, whole

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_REFUSALS = frozenset({"AccessDeniedException", "ValidationException", "InvalidParameterException"})


class ServerTable:
    """The definitions of one archive."""

    def __init__(self, table: Table, prefix: str) -> None:
        self._table = table
        self._prefix = prefix
        self._secrets: dict[str, dict[str, Any]] = {}  # by name: what has one is never changed

    def all(self) -> dict[str, Item]:
        """What is kept of every server, by name; None for one that is removed."""
        return {item["sk"]: item for item in self._table.query(keys.SERVERS)}

    def find(self, name: str) -> Item | None:
        return self._table.get(keys.server_key(name))

    def definition(self, item: Item) -> ServerDefinition:
        """A definition with its secrets."""
        secret = item.get("secret", "")
        return whole(json.loads(item["definition"]), self._read(secret) if secret else {})

    def put(self, name: str, definition: ServerDefinition) -> None:
        """Keep a definition. The old one leads to its own secret until the new one is there."""
        public, secret = definition.parted()
        before = self.find(name)
        pk, sk = keys.server_key(name)
        item = {"pk": pk, "sk": sk, "definition": json.dumps(public), "shown": json.dumps(definition.shown())}
        if secret:
            item["secret"] = f"{self._prefix}servers/{uuid.uuid4().hex}"
            with _translated():
                self._client.create_secret(Name=item["secret"], SecretString=json.dumps(secret))
        self._table.put_now(item)
        self._forget(before)

    def remove(self, name: str, *, leaves_mark: bool) -> None:
        """Forget a server; a mark says that one of the settings is not wanted any more."""
        before = self.find(name)
        pk, sk = keys.server_key(name)
        if leaves_mark:
            self._table.put_now({"pk": pk, "sk": sk, "removed": True})
        else:
            self._table.delete_now((pk, sk))
        self._forget(before)

    @cached_property
    def _client(self) -> "SecretsManagerClient":
        config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard"}, user_agent=AGENT)
        return boto3.client("secretsmanager", config=config)

    def _read(self, name: str) -> dict[str, Any]:
        if name not in self._secrets:
            with _translated():
                text = self._client.get_secret_value(SecretId=name)["SecretString"]
            self._secrets[name] = json.loads(text)
        return self._secrets[name]

    def _forget(self, item: Item | None) -> None:
        if item and "secret" in item:
            self._secrets.pop(item["secret"], None)
            with suppress(NotFound), _translated():
                self._client.delete_secret(SecretId=item["secret"], ForceDeleteWithoutRecovery=True)


@contextmanager
def _translated() -> Iterator[None]:
    """Foreign errors become ours, once."""
    try:
        yield
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            raise NotFound("the secret of a server is gone; define the server again") from error
        if code_of(error) in _REFUSALS:
            raise ArchiveRefused(f"Secrets Manager refused it: {code_of(error)}") from error
        raise ArchiveBusy(f"Secrets Manager answered {code_of(error)}") from error
    except BotoCoreError as error:
        raise ArchiveBusy(f"Secrets Manager did not answer: {type(error).__name__}") from error
