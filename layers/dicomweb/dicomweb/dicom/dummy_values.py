"""Values that stand for others in a de-identified data set: dummies by VR (PS3.5 Table 6.2-1), UIDs, codes. Pure."""

import hashlib
import hmac
from functools import lru_cache

from dicomweb.dicom.data_set import element_header
from dicomweb.dicom.uids import Encoding, registered_name

_TEXT = b"ANONYMIZED"
# Text: VR → dummy; what is not here, is no number and no text.
_DUMMIES = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), _TEXT),
    "AS": b"000Y", "DA": b"19000101", "DT": b"19000101000000", "TM": b"000000", "UR": b"http://anonymized.invalid",
}  # fmt: skip
_DUMMIES_OF = {0x00080102: b"99ANONYMIZED"}  # Coding Scheme Designator: 99 begins a private one (PS3.3 Table 8.1-1)
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_VERSION_AND_VARIANT = (0xF << 76 | 0x3 << 62, 0x8 << 76 | 0x2 << 62)  # bits, and those of a version 8 UUID (RFC 9562)


def dummy_value(tag: int, vr: str, value: bytes) -> bytes:
    """A value, not padded, of the VR; numbers keep their count, so that coordinates stay pairs."""
    if tag in _DUMMIES_OF:
        return _DUMMIES_OF[tag]
    if vr in ("DS", "IS"):
        return b"\\".join([b"0"] * (value.count(b"\\") + 1))
    if vr in _BYTES:
        return b"\0" * 8  # whole numbers of every width
    return _DUMMIES.get(vr, b"\0" * len(value))


@lru_cache(maxsize=4096)
def new_uid(uid: str, secret: bytes) -> str:
    """What replaces a UID: a UUID (PS3.5 B.2) that only the secret leads to. UIDs of PS3.6 and none stay."""
    if not uid or registered_name(uid):
        return uid
    number = int.from_bytes(hmac.digest(secret, uid.encode(), hashlib.sha256)[:16], "big")
    mask, bits = _VERSION_AND_VARIANT
    return f"2.25.{number & ~mask | bits}"


def padded(value: bytes, vr: str) -> bytes:
    """Even length (PS3.5 §6.2)."""
    return value + (b"\0" if vr == "UI" or vr in _BYTES else b" ") * (len(value) % 2)


def item(elements: list[tuple[int, str, bytes]], encoding: Encoding) -> bytes:
    """One item of a sequence: (tag, VR, value) of each element."""
    body = b"".join(
        element_header(tag, vr, len(padded(value, vr)), encoding) + padded(value, vr) for tag, vr, value in elements
    )
    return b"\xfe\xff\x00\xe0" + len(body).to_bytes(4, "little") + body


def coded(value: str, scheme: str, meaning: str) -> list[tuple[int, str, bytes]]:
    """A coded entry (PS3.3 Table 8.8-1)."""
    return [
        (0x00080100, "SH", value.encode()),
        (0x00080102, "SH", scheme.encode()),
        (0x00080104, "LO", meaning.encode()),
    ]
