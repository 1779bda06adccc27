"""Users: a hash of their password, their roles, and the labels of the studies that they may see."""

import time
from dataclasses import dataclass

from dicomweb.archive import keys
from dicomweb.archive.table import Item, Table
from dicomweb.identity import Identity

NOT_LIMITED = "*"  # stands among labels for all studies


@dataclass(frozen=True, slots=True)
class User:
    """A user and the scrypt hash of their password."""

    identity: Identity
    password: str


class UserTable:
    """The users of one archive."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, name: str) -> User | None:
        item = self._table.get(keys.user_key(name)) if name else None
        return _user(item) if item else None

    def all(self) -> list[User]:
        """All of them, by name."""
        return [_user(item) for item in self._table.query(keys.USERS)]

    def put(self, user: User) -> None:
        """Keep a user, in place of the one with their name."""
        identity = user.identity
        pk, sk = keys.user_key(identity.name)
        labels = sorted(identity.labels) if identity.labels is not None else [NOT_LIMITED]
        item = {"pk": pk, "sk": sk, "password": user.password, "roles": sorted(identity.roles), "labels": labels}
        self._table.put_now(item)

    def remove(self, name: str) -> None:
        self._table.delete_now(keys.user_key(name))

    def failures(self, who: str) -> int:
        """How many logins have failed lately from somewhere under a name."""
        item = self._table.get(keys.login_key(who))
        return int(item["failures"]) if item and item["expires"] > time.time() else 0

    def count_failure(self, who: str, failures: int, seconds: int) -> None:
        """Remember one more of them for some time."""
        pk, sk = keys.login_key(who)
        self._table.put_now({"pk": pk, "sk": sk, "failures": failures + 1, "expires": int(time.time()) + seconds})


def _user(item: Item) -> User:
    labels = frozenset(item["labels"])
    seen = None if NOT_LIMITED in labels else labels
    return User(Identity(item["sk"], frozenset(item["roles"]), seen), item["password"])
