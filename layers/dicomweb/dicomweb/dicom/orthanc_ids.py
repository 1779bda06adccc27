"""The identifiers by which Orthanc names what it holds: SHA-1 of the identifiers that DICOM has. Pure."""

import hashlib
import re

from dicomweb.dicom.json_model import DataSet

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


def orthanc_id(patient_id: str, *uids: str) -> str:
    """Of a patient, or of the study, series or instance that the UIDs lead to: five groups of eight hexadecimal digits.

    Args:
        patient_id: without the spaces at its end; "" when there is none.
        uids: of the study, of the series, of the instance, as far as the level goes.
    """
    digits = hashlib.sha1("|".join((patient_id, *uids)).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digits[start : start + 8] for start in range(0, 40, 8))


def patient_id(attributes: DataSet) -> str:
    """PatientID as it stands in these identifiers; "" where there is none."""
    return "\\".join(map(str, attributes.get("00100020", {}).get("Value", ())))


def is_orthanc_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
