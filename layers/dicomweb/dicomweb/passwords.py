"""Passwords as salted scrypt hashes (RFC 7914): scrypt$N$r$p$salt$hash, the last two in base64. Pure."""

import base64
import hashlib
import hmac
import secrets

_N, _R, _P = 2**14, 8, 1  # 16 MB of memory, some 50 ms
_LARGEST = 2**17


def hash_password(password: str) -> str:
    """A password as it is kept."""
    salt = secrets.token_bytes(16)
    return "$".join(["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(_digest(password, salt, _N, _R, _P))])


def is_hash(text: str) -> bool:
    return _parts(text) is not None


def is_password(password: str, kept: str) -> bool:
    """Whether a password is the one that is kept; a hash that is none takes as long and matches nothing."""
    parts = _parts(kept) or _parts(_NOBODYS)
    assert parts  # noqa: S101 — that of nobody is one
    n, r, p, salt, expected = parts
    return hmac.compare_digest(_digest(password, salt, n, r, p), expected) and kept != _NOBODYS


def _digest(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _parts(kept: str) -> tuple[int, int, int, bytes, bytes] | None:
    try:
        kind, n, r, p, salt, expected = kept.split("$")
        numbers = int(n), int(r), int(p)
        found = (*numbers, base64.b64decode(salt, validate=True), base64.b64decode(expected, validate=True))
    except ValueError:
        return None
    is_right = kind == "scrypt" and 1 < numbers[0] <= _LARGEST and 0 < numbers[1] <= 16 and 0 < numbers[2] <= 16
    return found if is_right and len(found[4]) == 32 else None


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


_NOBODYS = f"scrypt${_N}${_R}${_P}${_text(bytes(16))}${_text(bytes(32))}"
