"""Definitions of remote servers: in the table without what is secret, which Secrets Manager keeps."""

import json

from dicomweb.archive import keys
from dicomweb.archive.secrets import Secrets
from dicomweb.archive.table import Item, Table
from dicomweb.errors import NotFound
from dicomweb.server_definition import ServerDefinition, whole


class ServerTable:
    """The definitions of one archive."""

    def __init__(self, table: Table, secrets: Secrets) -> None:
        self._table = table
        self._secrets = secrets

    def all(self) -> dict[str, Item]:
        """What is kept of every server, by name."""
        return {item["sk"]: item for item in self._table.query(keys.SERVERS)}

    def find(self, name: str) -> Item | None:
        return self._table.get(keys.server_key(name))

    def definition(self, item: Item) -> ServerDefinition:
        """A definition with its secrets.

        Raises:
            NotFound: they are gone.
        """
        try:
            secret = self._secrets.read(item["secret"]) if "secret" in item else {}
        except NotFound as error:
            raise NotFound(f"the secrets of the server {item['sk']!r} are gone; define it again") from error
        return whole(json.loads(item["definition"]), secret)

    def put(self, name: str, definition: ServerDefinition) -> None:
        """Keep a definition. The old one leads to its own secrets until the new one is there."""
        public, secret = definition.parted()
        before = self.find(name)
        pk, sk = keys.server_key(name)
        item = {"pk": pk, "sk": sk, "definition": json.dumps(public), "shown": json.dumps(definition.shown())}
        if secret:
            item["secret"] = self._secrets.keep("servers", secret)
        self._table.put_now(item)
        self._forget_secret(before)

    def remove(self, name: str, *, leaves_mark: bool) -> None:
        """Forget a server; a mark says that one of the settings is not wanted any more."""
        before = self.find(name)
        pk, sk = keys.server_key(name)
        if leaves_mark:
            self._table.put_now({"pk": pk, "sk": sk, "removed": True})
        else:
            self._table.delete_now((pk, sk))
        self._forget_secret(before)

    def _forget_secret(self, item: Item | None) -> None:
        if item and "secret" in item:
            self._secrets.forget(item["secret"])
