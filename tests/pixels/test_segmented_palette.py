"""Segmented palettes, against the examples of PS3.3 C.7.9.2."""

import struct

import pytest

from dicomweb.pixels.segmented_palette import expand_segments


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


@pytest.mark.parametrize(
    ("content", "bits", "expected"),
    [
        (words(0, 3, 7, 8, 9), 16, [7, 8, 9]),
        (words(0, 1, 100, 1, 4, 500), 16, [100, 200, 300, 400, 500]),
        (words(0, 1, 0, 1, 2, 20, 2, 1, 6, 0), 16, [0, 10, 20, 20, 20]),  # the second segment again, at byte 6
        (bytes([0, 1, 0, 1, 2, 20, 2, 1, 3, 0, 0, 0]), 8, [0, 10, 20, 20, 20]),
        (bytes([0, 3, 7, 8, 9, 0]), 8, [7, 8, 9]),  # padded
        (words(0, 1, 5, *[1, 65535, 5] * 1000), 16, [5] * 8),  # more than is wanted is not expanded
    ],
)
def test_segments(content: bytes, bits: int, expected: list[int]) -> None:
    assert expand_segments(content, bits, len(expected)) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"", words(0), words(1, 3, 7), words(0, 9, 1), words(9, 1, 1), words(0, 0), words(0, 1, 7, 1, 3),
        words(0, 1, 7), words(0, 1, 7, 2, 60000, 6, 0), words(0, 1, 7, 2, 1, 0xFFFF, 0xFFFF),
        words(0, 1, 7, *[2, 0xFFFF, 0, 0] * 3),
    ],
)  # fmt: skip
def test_broken_segments(content: bytes) -> None:
    with pytest.raises(ValueError, match="segment"):
        expand_segments(content, 16, 5)
