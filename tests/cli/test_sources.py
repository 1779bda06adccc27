"""What is found in folders and ZIP files, and what it is."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from cli.sources import DIRECTORY, NO_DICOM, Identified, Skipped, Source, Unreadable, identify, walk
from dicomweb.dicom.part10 import read_file
from dicomweb.errors import InvalidDicom
from tests.builders import a_file, pydicom_files


def a_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def found(*paths: Path) -> tuple[list[str], list[str]]:
    """Names, and paths of what cannot be read."""
    faults: list[str] = []
    return [source.name for source in walk(paths, lambda path, _: faults.append(path))], faults


def source_of(path: Path, content: bytes) -> Source:
    path.write_bytes(content)
    return Source(str(path), len(content))


def test_folders_and_zip_files_are_walked_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "2").write_bytes(b"x")
    (tmp_path / "b" / "1").write_bytes(b"x")
    a_zip(tmp_path / "a.zip", {"folder/": b"", "folder/3": b"x", "../4": b"x"})
    names, faults = found(tmp_path)
    root = str(tmp_path)
    assert names == [f"{root}/a.zip!/folder/3", f"{root}/a.zip!/../4", f"{root}/b/1", f"{root}/b/c/2"]
    assert faults == []


def test_what_cannot_be_opened_is_a_fault_and_pipes_are_none(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 and no more")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    names, faults = found(tmp_path)
    assert names == []
    assert faults == [str(tmp_path / "broken.zip"), str(tmp_path / "nowhere")]


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=lambda uid: uid.name
)
def test_uids_are_read_in_every_encoding(tmp_path: Path, syntax: str) -> None:
    source = source_of(tmp_path / "x", a_file(transfer_syntax=syntax, PixelData=None))
    assert identify(source) == Identified(source, "1.2.3", "1.2.3.1", "1.2.3.1.1")


@pytest.mark.filterwarnings("ignore")  # of pydicom, about old files
@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
def test_uids_are_those_that_the_server_reads(path: Path) -> None:
    content = path.read_bytes()
    identified = identify(Source(str(path), len(content)))
    try:
        instance = read_file(content, "ascii")
    except InvalidDicom:
        return  # whatever it is taken for, the server will speak about it
    assert isinstance(identified, Identified)
    assert (identified.study, identified.series, identified.instance) == (
        instance.study,
        instance.series,
        instance.instance,
    )


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("DICOMDIR", a_file(), DIRECTORY),
        ("dicomdir", b"", DIRECTORY),
        ("renamed", a_file(SOPClassUID="1.2.840.10008.1.3.10"), DIRECTORY),
        ("readme.txt", b"text", NO_DICOM),
        ("empty.dcm", b"", NO_DICOM),
        ("no_preamble.dcm", a_file()[132:], NO_DICOM),
    ],
)
def test_what_is_not_to_be_stored_is_skipped(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    source = source_of(tmp_path / name, content)
    assert identify(source) == Skipped(source, why)


@pytest.mark.parametrize("end", range(132, 700, 37))
def test_a_file_that_is_cut_off_is_left_to_the_server(tmp_path: Path, end: int) -> None:
    assert isinstance(identify(source_of(tmp_path / "x", a_file()[:end])), Identified)


def test_only_the_beginning_of_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(a_file())
    os.truncate(path, 10**12)  # sparse: a reader of all of it would not return
    assert isinstance(identify(Source(str(path), 10**12)), Identified)


def test_a_member_whose_content_is_broken_is_unreadable(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", {"1.dcm": a_file()})
    content = bytearray(path.read_bytes())
    content[60:200] = bytes(140)
    path.write_bytes(content)
    (source,) = walk([path], lambda *_: None)
    with pytest.raises(Unreadable, match="cannot be read"), source.open() as file:
        io.BytesIO(file.read())
