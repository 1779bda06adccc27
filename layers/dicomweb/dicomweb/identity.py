"""Who asks, and what they may do. Pure."""

from dataclasses import dataclass

READ, STORE, DELETE, ADMIN = "read", "store", "delete", "admin"
LABEL = r"[\w.-]{1,64}"
ROLES = frozenset({READ, STORE, DELETE, ADMIN})


@dataclass(frozen=True, slots=True)
class Identity:
    """A user, or what a token stands for.

    Attributes:
        labels: of the studies that they may see; None for all.
    """

    name: str
    roles: frozenset[str]
    labels: frozenset[str] | None = None

    def may(self, role: str) -> bool:
        """Whether they have a role; who administers may do everything."""
        return role in self.roles or ADMIN in self.roles


EVERYBODY = Identity("", ROLES)  # where nobody is asked who they are
NOBODY = Identity("", frozenset(), frozenset())  # who asks for what is open to all: no study is seen
