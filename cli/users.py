"""Users of an archive, by who has its table: kept with a hash of their password, their roles and labels."""

import os

from cli.errors import CommandFault
from dicomweb.archive import Archive, connect
from dicomweb.archive.users import User
from dicomweb.errors import DicomWebError
from dicomweb.identity import ROLES, Identity
from dicomweb.passwords import hash_password
from dicomweb.settings import load


def keep(table: str, name: str, password: str, roles: list[str], labels: list[str]) -> None:
    """Keep a user, in place of the one with that name; without labels they see all studies.

    Raises:
        CommandFault: a role that is none, a name or a password that nobody can log in with, no such table.
    """
    if unknown := set(roles) - ROLES:
        raise CommandFault(f"{', '.join(sorted(unknown))}: expected roles of {', '.join(sorted(ROLES))}")
    if not name or ":" in name or not name.isprintable() or not password:
        raise CommandFault("a user has a name without a colon, and a password")
    identity = Identity(name, frozenset(roles), frozenset(labels) if labels else None)
    try:
        _archive(table).users.put(User(identity, hash_password(password)))
    except DicomWebError as error:
        raise CommandFault(f"users: {error}") from error


def remove(table: str, name: str) -> None:
    """Forget a user."""
    try:
        _archive(table).users.remove(name)
    except DicomWebError as error:
        raise CommandFault(f"users: {error}") from error


def lines(table: str) -> list[str]:
    """Each user with their roles and labels."""
    try:
        found = _archive(table).users.all()
    except DicomWebError as error:
        raise CommandFault(f"users: {error}") from error
    return [
        f"{user.identity.name}: {', '.join(sorted(user.identity.roles)) or 'nothing'}"
        + (f"; only {', '.join(sorted(user.identity.labels))}" if user.identity.labels is not None else "")
        for user in found
    ]


def _archive(table: str) -> Archive:
    return connect(load({**os.environ, "DICOMWEB_TABLE": table}))
