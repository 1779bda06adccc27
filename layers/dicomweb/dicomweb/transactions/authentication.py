"""Who asks, by the header Authorization: Basic (RFC 7617) or Bearer (RFC 6750)."""

import base64
import hashlib
import re
import time
from functools import lru_cache

from dicomweb.archive import Archive
from dicomweb.archive.users import User
from dicomweb.errors import NotAuthenticated, TooManyFailures
from dicomweb.identity import ROLES, Identity
from dicomweb.passwords import is_password

_LONGEST = 16 * 1024  # characters of the header
_KNOWN_S = 60  # how long a password that was right needs no hash again
_MOST_KNOWN = 1000
_MOST_FAILURES, _FORGOTTEN_S = 10, 300  # failed logins under a name from one address, within so many seconds


def authenticate(archive: Archive, authorization: str, source: str) -> Identity:
    """Who a header stands for.

    Args:
        source: the address that it came from.
    Raises:
        NotAuthenticated: nobody; the message does not say what was wrong.
        TooManyFailures: too often the wrong password.
    """
    scheme, _, credentials = authorization.partition(" ")
    if len(authorization) > _LONGEST or not credentials:
        raise NotAuthenticated("expected the header Authorization, with Basic or Bearer")
    if scheme.lower() == "basic":
        return _basic(archive, credentials.strip(), source)
    if scheme.lower() == "bearer" and archive.settings.OidcIssuer:
        # Only who uses tokens needs what verifies them.
        from dicomweb.transactions.tokens import identity_of_token

        return identity_of_token(archive.settings, credentials.strip())
    raise NotAuthenticated("expected the header Authorization, with Basic or Bearer")


def _basic(archive: Archive, credentials: str, source: str) -> Identity:
    try:
        name, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except ValueError as error:
        raise NotAuthenticated("the credentials are not in base64, or not in UTF-8") from error
    if not colon or not re.fullmatch(r"[^\x00-\x1f\x7f]{1,128}", name):
        raise NotAuthenticated("the credentials have no name, or no password")
    mark = hashlib.sha256(f"{name}\0{password}".encode()).digest()
    user = _find(archive, name)
    known = _known()
    matched, until = known.get(mark, ("", 0.0))
    if user and matched == user.password and until > time.monotonic():
        return user.identity
    who = f"{name}@{source}"
    if (failures := archive.users.failures(who)) >= _MOST_FAILURES:
        raise TooManyFailures(f"too many failed logins; try again in {_FORGOTTEN_S} seconds")
    # The hash of nobody takes as long: who has no account cannot be told by the time.
    if not is_password(password, user.password if user else "") or not user:
        archive.users.count_failure(who, failures, _FORGOTTEN_S)
        raise NotAuthenticated("no such user, or another password")
    if len(known) >= _MOST_KNOWN:
        known.clear()
    known[mark] = (user.password, time.monotonic() + _KNOWN_S)
    return user.identity


@lru_cache
def _known() -> dict[bytes, tuple[str, float]]:
    """By a digest of name and password: the hash that it matched, and until when that need not be looked at again."""
    return {}


def _find(archive: Archive, name: str) -> User | None:
    if name in archive.settings.RegisteredUsers:
        kept = archive.settings.RegisteredUsers[name]
        if isinstance(kept, str):
            return User(Identity(name, ROLES), kept)
        labels = None if kept.Labels is None else frozenset(kept.Labels)
        return User(Identity(name, frozenset(kept.Roles), labels), kept.Password)
    return archive.users.find(name)
