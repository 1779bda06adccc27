"""JSON arrays in gzip that are joined without being inflated (RFC 1951, RFC 1952). Pure.

The brackets stand in stored blocks of their own. The elements between them refer to nothing before them and end on a
byte: they can follow those of another array, in one gzip member. Most readers stop at the end of the first member.
"""

import gzip
import struct
import zlib
from collections.abc import Iterable

_TRAILER = struct.Struct("<II")  # CRC-32 and length of the text (RFC 1952 §2.3.1)


def _stored(char: bytes, *, last: bool = False) -> bytes:
    return struct.pack("<BHH", last, 1, 0xFFFE) + char  # RFC 1951 §3.2.4


_START = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + _stored(b"[")
_COMMA, _END = _stored(b","), _stored(b"]", last=True)
_OPEN, _CLOSE, _BETWEEN = (zlib.crc32(char) for char in (b"[", b"]", b","))


def pack(elements: Iterable[bytes], level: int) -> bytes:
    """The array of these JSON texts."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [_START]
    crc, size, separator = _OPEN, 1, b""
    for element in elements:
        text = separator + element
        crc, size, separator = zlib.crc32(text, crc), size + len(text), b","
        pieces.append(deflate.compress(text))
    # A full flush ends on a byte; without the last mark, more blocks may follow.
    pieces += [deflate.flush(zlib.Z_FULL_FLUSH), _END, _TRAILER.pack(zlib.crc32(b"]", crc), size + 1 & 0xFFFFFFFF)]
    return b"".join(pieces)


def join(arrays: Iterable[bytes]) -> bytes:
    """One array of the elements of several, none of which is empty."""
    pieces = [_START]
    crc, size = _OPEN, 1
    for array in arrays:
        if not (array.startswith(_START) and array[-_TRAILER.size - len(_END) : -_TRAILER.size] == _END):
            array = pack([gzip.decompress(array)[1:-1]], 1)
        its_crc, its_size = _TRAILER.unpack(array[-_TRAILER.size :])
        if len(pieces) > 1:
            pieces.append(_COMMA)
        pieces.append(array[len(_START) : -_TRAILER.size - len(_END)])
        # CRC(AB) = shift(CRC(A), |B|) ⊕ CRC(B), and shift is linear: the array's `[` and `]` are taken out of its CRC,
        # and a comma put in for the `]`.
        crc = _shift(crc ^ _OPEN, its_size - 1) ^ its_crc ^ _CLOSE ^ _BETWEEN
        size += its_size - 1
    # The last comma is the closing bracket.
    return b"".join([*pieces, _END, _TRAILER.pack(crc ^ _BETWEEN ^ _CLOSE, size & 0xFFFFFFFF)])


_POLYNOMIAL = 0xEDB88320  # of CRC-32 (RFC 1952 §8), lowest power in the highest bit
_ONE = 1 << 31


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo that of CRC-32."""
    product = 0
    while a:
        if a & _ONE:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _squares() -> list[int]:
    powers = [_ONE >> 8]  # x⁸: one byte
    while len(powers) < 40:
        powers.append(_multiply(powers[-1], powers[-1]))
    return powers


_BYTES = _squares()  # x to the power of 8 · 2ⁿ


def _shift(crc: int, count: int) -> int:
    """A CRC moved over `count` bytes that follow."""
    for bit, power in enumerate(_BYTES):
        if count >> bit & 1:
            crc = _multiply(power, crc)
    return crc
