"""The identifiers by which Orthanc names what it holds: SHA-1 of the identifiers that DICOM has. Pure."""

import hashlib
import re

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


def study_id(patient_id: str, study: str) -> str:
    """Of a study: five groups of eight hexadecimal digits.

    Args:
        patient_id: without the spaces at its end; "" when the study has none.
    """
    digits = hashlib.sha1(f"{patient_id}|{study}".encode(), usedforsecurity=False).hexdigest()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def is_orthanc_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
