import gzip
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from dicomweb.dicom.gzip_array import join, pack

ELEMENTS = st.lists(
    st.binary(min_size=1, max_size=300).map(lambda text: json.dumps(text.hex() * 9).encode()), min_size=1, max_size=5
)


@given(ELEMENTS, st.integers(0, 9))
def test_an_array_is_gzip_of_its_elements(elements: list[bytes], level: int) -> None:
    assert gzip.decompress(pack(elements, level)) == b"[" + b",".join(elements) + b"]"


@given(st.lists(ELEMENTS, min_size=1, max_size=4), st.booleans())
def test_arrays_are_joined_into_one_member(arrays: list[list[bytes]], is_foreign: bool) -> None:
    packed = [pack(elements, 6) for elements in arrays]
    if is_foreign:  # gzip of somebody else's making
        packed[-1] = gzip.compress(gzip.decompress(packed[-1]))
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)  # checks CRC and length
    text = reader.decompress(join(packed))
    assert (reader.eof, reader.unused_data) == (True, b"")
    assert text == b"[" + b",".join(element for elements in arrays for element in elements) + b"]"


def test_what_was_joined_can_be_joined_again() -> None:
    one = join([pack([b"1", b"2"], 6), pack([b"3"], 6)])
    assert json.loads(gzip.decompress(join([one, one]))) == [1, 2, 3, 1, 2, 3]
