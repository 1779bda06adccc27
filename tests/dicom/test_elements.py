import struct

import pytest

from dicomweb.dicom.elements import MAX_DEPTH, read_data_set
from dicomweb.dicom.uids import Encoding
from dicomweb.errors import InvalidDicom

EXPLICIT, IMPLICIT = Encoding(explicit=True, little=True), Encoding(explicit=False, little=True)


def element(tag: int, vr: str, value: bytes) -> bytes:
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in ("OB", "SQ", "UN", "UT"):
        return head + b"\0\0" + struct.pack("<I", len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = (
            struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF)
            + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
            + inner
            + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
            + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        )
    return inner


def test_an_element_says_where_its_value_stands() -> None:
    data = element(0x00100020, "LO", b"P1")
    (found,) = read_data_set(data, 0, len(data), EXPLICIT)
    assert (found.tag, found.vr, data[found.start : found.start + found.length]) == (0x00100020, "LO", b"P1")


def test_implicit_elements_get_their_vr_from_the_dictionary() -> None:
    data = struct.pack("<HHI", 0x0010, 0x0020, 2) + b"P1"
    assert read_data_set(data, 0, len(data), IMPLICIT)[0].vr == "LO"


def test_implicit_private_elements_get_their_vr_from_their_creators_dictionary() -> None:
    creator = struct.pack("<HHI", 0x0009, 0x0010, 14) + b"GEMS_IDEN_01  "
    data = creator + struct.pack("<HHI", 0x0009, 0x1001, 2) + b"AB"
    assert [found.vr for found in read_data_set(data, 0, len(data), IMPLICIT)] == ["LO", "LO"]


def test_implicit_data_under_an_explicit_syntax_are_read_all_the_same() -> None:
    data = struct.pack("<HHI", 0x0010, 0x0020, 2) + b"P1"
    assert read_data_set(data, 0, len(data), EXPLICIT)[0].vr == "LO"


def test_a_standard_attribute_written_as_un_keeps_its_meaning() -> None:
    data = element(0x00100020, "UN", b"P1")
    assert read_data_set(data, 0, len(data), EXPLICIT)[0].vr == "LO"


def test_sequences_nested_sixty_deep_are_read() -> None:
    data = nested(60)
    assert read_data_set(data, 0, len(data), EXPLICIT)[0].items


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 10_000])
def test_sequences_nested_too_deep_are_refused(depth: int) -> None:
    data = nested(depth)
    with pytest.raises(InvalidDicom, match="nested more than"):
        read_data_set(data, 0, len(data), EXPLICIT)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (element(0x00100020, "LO", b"P1")[:-1], "truncated"),
        (struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF), "no end"),
        (struct.pack("<HH2sH", 0x0010, 0x0020, b"\1\2", 2) + b"P1", "truncated"),
        (
            struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, 8) + element(0x00100020, "LO", b""),
            "expected a sequence item",
        ),
        (element(0x00100020, "LO", b"P1") + struct.pack("<HH2sH", 0x0010, 0x0030, b"..", 0), "has no VR"),
    ],
)
def test_broken_data_say_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(InvalidDicom, match=says):
        read_data_set(data, 0, len(data), EXPLICIT)


def test_zeros_after_the_last_element_are_padding() -> None:
    data = element(0x00100020, "LO", b"P1")
    assert len(read_data_set(data + bytes(512), 0, len(data) + 512, EXPLICIT)) == 1
