"""Data sets written in another encoding (PS3.5 §7)."""

import io

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicomweb.dicom.data_set import Changes, NewValue, encode_data_set
from dicomweb.dicom.elements import UNDEFINED, Element, read_data_set
from dicomweb.dicom.uids import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, encoding_of
from dicomweb.errors import InvalidDicom


def written(ds: Dataset, *, implicit: bool = True, little: bool = True) -> bytes:
    content = io.BytesIO()
    pydicom.filewriter.dcmwrite(content, ds, implicit_vr=implicit, little_endian=little)
    return content.getvalue()


def encoded(content: bytes, source: str, target: str, changes: Changes | None = None) -> bytes:
    elements = read_data_set(content, 0, len(content), encoding_of(source))

    def changes_of(data_set: list[Element]) -> Changes:
        return changes or {} if data_set is elements else {}

    return b"".join(encode_data_set(content, elements, encoding_of(target), changes_of))


def a_data_set() -> Dataset:
    ds = Dataset()
    ds.PatientName = "Doe^Jane"
    ds.Rows = 258
    ds.PixelRepresentation = 1
    ds.FrameIncrementPointer = 0x00181063
    ds.SmallestImagePixelValue = -2
    item = Dataset()
    item.LargestImagePixelValue = -3
    item.SelectorATValue = [0x00100020, 0x00100010]
    ds.ReferencedImageSequence = [item, Dataset()]
    ds.ReferencedStudySequence = []
    return ds


@pytest.mark.parametrize("target", [IMPLICIT_LITTLE, EXPLICIT_LITTLE])
def test_every_value_is_kept_from_every_encoding(target: str) -> None:
    sources = {
        IMPLICIT_LITTLE: written(a_data_set()),
        EXPLICIT_LITTLE: written(a_data_set(), implicit=False),
        EXPLICIT_BIG: written(a_data_set(), implicit=False, little=False),
    }
    results = {encoded(content, source, target) for source, content in sources.items()}
    assert len(results) == 1
    explicit = encoded(results.pop(), target, EXPLICIT_LITTLE)
    found, expected = (
        pydicom.filereader.read_dataset(io.BytesIO(content), is_implicit_VR=False, is_little_endian=True)
        for content in (explicit, sources[EXPLICIT_LITTLE])
    )
    assert found == expected


def test_group_lengths_are_left_out() -> None:
    content = b"\x08\0\0\0UL\4\0\x10\0\0\0" + b"\x08\0\x60\0CS\2\0CT"
    assert encoded(content, EXPLICIT_LITTLE, EXPLICIT_LITTLE) == b"\x08\0\x60\0CS\2\0CT"


def test_a_value_longer_than_its_length_field_is_unknown() -> None:
    content = b"\x20\0\0\x40" + (70_000).to_bytes(4, "little") + b"x" * 70_000
    assert encoded(content, IMPLICIT_LITTLE, EXPLICIT_LITTLE)[4:12] == b"UN\0\0" + (70_000).to_bytes(4, "little")


def test_changes_are_put_where_their_tags_belong() -> None:
    content = b"".join(bytes((group, 0, 0x10, 0)) + b"LO\2\0" + b"x " for group in (8, 10, 12))
    changes = {
        0x000C0010: None,
        0x000A0010: NewValue("LO", 2, [b"y "]),
        0x00090010: NewValue("US", 2, [b"\1", b"\0"]),
        0x7FE00010: NewValue("OB", UNDEFINED, [b"..."]),
        0x7FE00001: None,
    }
    assert encoded(content, EXPLICIT_LITTLE, EXPLICIT_LITTLE, changes) == (
        b"\x08\0\x10\0LO\2\0x " b"\x09\0\x10\0US\2\0\1\0" b"\x0a\0\x10\0LO\2\0y " b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff..."
    )  # fmt: skip


def test_encapsulated_values_must_be_changed() -> None:
    content = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    with pytest.raises(InvalidDicom, match=r"\(7FE0,0010\) is encapsulated"):
        encoded(content, EXPLICIT_LITTLE, IMPLICIT_LITTLE)
