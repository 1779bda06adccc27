"""Dummies, UIDs and codes that stand in for others (PS3.5 §6.2, B.2)."""

import uuid

import pytest
from pydicom.config import RAISE
from pydicom.valuerep import validate_value

from dicomweb.dicom.dummy_values import dummy_value, new_uid
from dicomweb.dicom.elements import LONG_VRS, SHORT_VRS
from dicomweb.dicom.uids import is_uid

TEXT = sorted({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})


@pytest.mark.parametrize("vr", TEXT)
def test_a_dummy_is_text_of_its_vr(vr: str) -> None:
    dummy = dummy_value(0x00100010, vr, b"secret\\8")
    assert dummy
    assert b"secret" not in dummy
    for value in dummy.decode().split("\\"):
        validate_value(vr, value, RAISE)


@pytest.mark.parametrize("vr", sorted((LONG_VRS | SHORT_VRS) - {*TEXT, "SQ", "UI"}))
def test_a_dummy_is_zeros_where_values_are_binary(vr: str) -> None:
    dummy = dummy_value(0x00100010, vr, b"\x01" * 24)
    assert dummy
    assert len(dummy) % 8 == 0
    assert not any(dummy)


@pytest.mark.parametrize(("vr", "value", "expected"), [
    ("DS", b"1.5\\2.5\\3.5", b"0\\0\\0"), ("FL", b"\x01" * 8, b"\0" * 8), ("OB", b"documents", b"\0" * 8),
])  # fmt: skip
def test_numbers_keep_their_count(vr: str, value: bytes, expected: bytes) -> None:
    assert dummy_value(0x00700022, vr, value) == expected


def test_a_uid_becomes_a_uuid_that_the_secret_decides() -> None:
    first = new_uid("1.2.3", b"secret")
    number = uuid.UUID(int=int(first.removeprefix("2.25.")))
    assert is_uid(first)
    assert (number.version, number.variant) == (8, uuid.RFC_4122)
    assert first == new_uid("1.2.3", b"secret")
    assert len({first, new_uid("1.2.3", b"another"), new_uid("1.2.4", b"secret")}) == 3


@pytest.mark.parametrize("uid", ["", "1.2.840.10008.1.2", "1.2.840.10008.1.4.1.1"])
def test_a_uid_of_the_standard_stays(uid: str) -> None:
    assert new_uid(uid, b"secret") == uid


def test_a_uid_that_only_begins_like_one_of_the_standard_is_replaced() -> None:
    assert new_uid("1.2.840.10008.5.1.4.1.1.2.20240131", b"secret").startswith("2.25.")
