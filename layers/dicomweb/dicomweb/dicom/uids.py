"""Unique identifiers (PS3.5 §9) and the transfer syntaxes that change how bytes are read (PS3.5 Annex A). Pure."""

import re
from dataclasses import dataclass

from pydicom.config import IGNORE
from pydicom.uid import UID

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE, JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS, JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS, JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"
HTJ2K = "1.2.840.10008.1.2.4.203"
NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, DEFLATED_LITTLE, EXPLICIT_BIG})
VIDEO = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))  # MPEG-2, MPEG-4, HEVC
# The data set, not a frame, is deflated (PS3.5 A.5, A.7 and A.10).
DEFLATED = frozenset({DEFLATED_LITTLE, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the data elements of a data set are written (PS3.5 §7.1)."""

    explicit: bool
    little: bool


def encoding_of(transfer_syntax: str) -> Encoding:
    """Every transfer syntax but two is Explicit VR Little Endian (PS3.5 Annex A)."""
    return Encoding(explicit=transfer_syntax != IMPLICIT_LITTLE, little=transfer_syntax != EXPLICIT_BIG)


def registered_name(uid: str) -> str:
    """The name of a UID that the Standard itself defines (PS3.6 Annex A), "" for others."""
    name = str(UID(uid, validation_mode=IGNORE).name)
    return "" if name == uid else name


def is_uid(text: str) -> bool:
    """Digits in components, at most 64 characters (PS3.5 §9.1).

    Leading zeros of a component are let pass: files with them exist, and they do no harm.
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None
