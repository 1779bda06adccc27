import contextlib
import zlib

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicomweb.dicom import part10
from dicomweb.dicom.elements import read_data_set
from dicomweb.dicom.part10 import Unidentified, inflate, read_file
from dicomweb.dicom.uids import EXPLICIT_LITTLE, encoding_of
from dicomweb.errors import InvalidDicom
from tests.builders import a_data_set, a_file


def test_identity() -> None:
    instance = read_file(a_file(), "ascii")
    assert (instance.study, instance.series, instance.instance) == ("1.2.3", "1.2.3.1", "1.2.3.1.1")


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "not a DICOM file"),
        (b"hello" * 100, "not a DICOM file"),
        (a_file()[132:], "not a DICOM file"),
        (a_file()[:-1], "truncated"),
        (a_file(StudyInstanceUID=None), r"StudyInstanceUID \(0020,000D\) is ''"),
        (a_file(SeriesInstanceUID=""), "SeriesInstanceUID"),
        (a_file(SOPClassUID=None), "SOPClassUID"),
        (a_file().replace(b"1.2.3.1.1", b"1.2/../.1"), "SOPInstanceUID"),
    ],
)
def test_what_cannot_be_stored_says_why(file: bytes, says: str) -> None:
    with pytest.raises(InvalidDicom, match=says):
        read_file(file, "ascii")


def test_uids_longer_than_64_characters_are_refused() -> None:
    short, long = b"UI\x06\x001.2.3\0", b"UI\x42\x00" + b"1." * 33
    with pytest.raises(InvalidDicom, match="expected a UID"):
        read_file(a_file().replace(short, long), "ascii")


def test_a_file_without_a_study_is_named_by_its_sop_instance() -> None:
    with pytest.raises(Unidentified) as caught:
        read_file(a_file(StudyInstanceUID=None), "ascii")
    assert caught.value.instance == "1.2.3.1.1"


def test_positions_in_a_deflated_file_are_those_of_the_inflated_one() -> None:
    file = a_file(transfer_syntax=DeflatedExplicitVRLittleEndian)
    instance = read_file(file, "ascii")
    place = instance.bulk["7FE00010"]
    assert inflate(file)[place.start : place.start + place.length] == a_data_set().PixelData


def test_a_deflated_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part10, "MAX_INFLATED", 1000)
    file = a_file(transfer_syntax=DeflatedExplicitVRLittleEndian)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = file[: part10._end_of_meta(file, 132)] + deflater.compress(bytes(10**6)) + deflater.flush()
    with pytest.raises(InvalidDicom, match="inflates to more than 1000 bytes"):
        read_file(bomb, "ascii")


def test_a_cut_deflated_file_is_never_taken_for_whole() -> None:
    file = a_file(transfer_syntax=DeflatedExplicitVRLittleEndian, PatientComments="long " * 100)
    start = part10._end_of_meta(file, 132)
    accepted = []
    for end in range(start, len(file) - 1):
        with contextlib.suppress(InvalidDicom):
            read_file(file[:end], "ascii")
            accepted.append(end)
    assert accepted == []


def test_a_file_cut_inside_an_element_is_never_taken_for_whole() -> None:
    file = a_file()
    elements = read_data_set(file, part10._end_of_meta(file, 132), len(file), encoding_of(EXPLICIT_LITTLE))
    between = {element.start + element.length for element in elements}
    for end in set(range(len(file))) - between:
        with pytest.raises(InvalidDicom):
            read_file(file[:end], "ascii")


def test_an_identifier_in_another_vr_is_none() -> None:
    file = a_file().replace(b"\x08\x00\x18\x00UI", b"\x08\x00\x18\x00SH")
    with pytest.raises(InvalidDicom, match="SOPInstanceUID"):
        read_file(file, "ascii")


def test_a_small_file_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb.dicom.elements.MAX_ELEMENTS", 100)
    item = b"\xfe\xff\x00\xe0\0\0\0\0"
    bomb = a_file()[:-44] + b"\xfa\x7f\x10\x00SQ\0\0" + (8 * 200).to_bytes(4, "little") + item * 200
    with pytest.raises(InvalidDicom, match="more than 100 data elements"):
        read_file(bomb, "ascii")
