"""Secrets: JSON documents in Secrets Manager, under names that are used once. One that is there is never changed."""

import json
import uuid
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dicomweb.archive.aws_client import connect_service, translated
from dicomweb.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_SERVICE, _MISSING = "Secrets Manager", "a secret is gone"
_MOST_KNOWN = 256  # secrets that a process remembers


class Secrets:
    """Those whose names have one beginning."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._known: dict[str, dict[str, Any]] = {}

    def keep(self, kind: str, secret: dict[str, Any]) -> str:
        """Keep a secret; its name."""
        name = f"{self._prefix}{kind}/{uuid.uuid4().hex}"
        with translated(_SERVICE, _MISSING):
            self._client.create_secret(Name=name, SecretString=json.dumps(secret))
        return name

    def read(self, name: str) -> dict[str, Any]:
        """Raises NotFound."""
        if name not in self._known:
            with translated(_SERVICE, _MISSING):
                text = self._client.get_secret_value(SecretId=name)["SecretString"]
            if len(self._known) == _MOST_KNOWN:
                self._known.clear()
            self._known[name] = json.loads(text)
        return self._known[name]

    def forget(self, name: str) -> None:
        """Remove a secret for good; one that is not there is no error."""
        self._known.pop(name, None)
        with suppress(NotFound), translated(_SERVICE, _MISSING):
            self._client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    @cached_property
    def _client(self) -> "SecretsManagerClient":
        client: SecretsManagerClient = connect_service("secretsmanager")
        return client
