"""`dicomweb retrieve` from our own server, and from servers that do not keep their promises."""

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from cli import retrieve as retrieving
from cli.folder import Folder, Instance
from dicomweb.dicom.multipart import write_end, write_part
from tests.builders import PYDICOM_FILES, a_file, a_series
from tests.cli.conftest import Command, Output
from tests.cli.fake_server import quick_client, serving_asgi

STUDY = "1.2.3"


@pytest.fixture
def stored(dicomweb: Command, tmp_path: Path) -> dict[str, bytes]:
    """Five files of two series that the server has, by the paths they are retrieved to."""
    files = {}
    for series, count in (("1.2.3.1", 3), ("1.2.3.2", 2)):
        for number, content in enumerate(a_series(count, STUDY, series), 1):
            files[f"{STUDY}/{series}/{series}.{number}.dcm"] = content
    source = tmp_path / "source"
    source.mkdir()
    for number, content in enumerate(files.values()):
        (source / str(number)).write_bytes(content)
    assert dicomweb("store", source).exit_code == 0
    return files


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_is_retrieved_as_it_was_stored(dicomweb: Command, stored: dict[str, bytes], tmp_path: Path) -> None:
    result = dicomweb("retrieve", STUDY, "--to", tmp_path / "to")
    assert (result.exit_code, result.text.splitlines()[0]) == (0, "5 retrieved, 0 already there, 0 missing")
    assert content_of(tmp_path / "to") == stored


@pytest.mark.parametrize(
    ("resource", "count"),
    [(f"{STUDY}/1.2.3.1", 3), (f"{STUDY}/1.2.3.1/1.2.3.1.2", 1), (f"{STUDY}/1.2.3.1/1.2.3.1.2/", 1)],
)
def test_a_series_and_an_instance_are_retrieved(
    dicomweb: Command, stored: dict[str, bytes], tmp_path: Path, resource: str, count: int
) -> None:
    assert dicomweb("retrieve", resource, "--to", tmp_path / "to").exit_code == 0
    found = content_of(tmp_path / "to")
    assert len(found) == count
    assert found.items() <= stored.items()


def test_only_what_is_missing_is_retrieved(dicomweb: Command, stored: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "to"
    dicomweb("retrieve", STUDY, "--to", folder)
    paths = [folder / name for name in stored]
    paths[0].unlink()
    paths[1].write_bytes(b"cut off")
    paths[2].write_bytes(stored[f"{STUDY}/1.2.3.2/1.2.3.2.1.dcm"])  # another instance under this name
    result = dicomweb("retrieve", STUDY, "--to", folder)
    assert "3 retrieved, 2 already there, 0 missing" in result.text
    assert content_of(folder) == stored
    assert "5 retrieved, 0 already there" in dicomweb("retrieve", STUDY, "--to", folder, "--overwrite").text


def test_another_transfer_syntax_is_asked_for(dicomweb: Command, stored: dict[str, bytes], tmp_path: Path) -> None:
    result = dicomweb("retrieve", STUDY, "--to", tmp_path / "to", "--transfer-syntax", ImplicitVRLittleEndian)
    assert result.exit_code == 0
    (path, *others) = (tmp_path / "to").rglob("*.dcm")
    assert len(others) == 4
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian


def test_what_the_server_cannot_make_is_missing_with_its_reason(dicomweb: Command, tmp_path: Path) -> None:
    files = [PYDICOM_FILES / "test_files" / name for name in ("CT_small.dcm", "JPEG2000.dcm")]
    assert dicomweb("store", *files).exit_code == 0
    study = str(pydicom.dcmread(files[0]).StudyInstanceUID)
    result = dicomweb("retrieve", study, "--to", tmp_path / "to", "--transfer-syntax", "1.2.840.10008.1.2.4.201")
    assert result.exit_code == 1
    assert f"missing: {study}/" in result.text
    assert "available" in result.text


@pytest.mark.parametrize("resource", ["..", "1.2/../3", "1.2/3/4/5", "", "1.2.x", "/etc/passwd", "1" * 65])
def test_what_is_no_uid_is_exit_code_2(dicomweb: Command, tmp_path: Path, resource: str) -> None:
    result = dicomweb("retrieve", resource, "--to", tmp_path / "to")
    assert result.exit_code == 2
    assert "each a UID" in result.text


def test_what_the_server_has_not_and_what_cannot_be_written_is_exit_code_2(
    dicomweb: Command, stored: dict[str, bytes], tmp_path: Path
) -> None:
    assert "has no studies/9.9" in dicomweb("retrieve", "9.9", "--to", tmp_path / "to").text
    (tmp_path / "file").write_text("")
    result = dicomweb("retrieve", STUDY, "--to", tmp_path / "file" / "below")
    assert result.exit_code == 2
    assert "cannot be written" in result.text


class Promising:
    """A server whose search promises instances, and which gives what `parts` has; it breaks off without `end`."""

    def __init__(self, promised: list[tuple[str, str]], answers: list[tuple[list[bytes], bool]]) -> None:
        self._promised = promised
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        headers = []
        if scope["path"].endswith("/instances"):
            rows = [{"0020000E": _uid(series), "00080018": _uid(instance)} for series, instance in self._promised]
            body = json.dumps(rows if b"offset=0" in scope["query_string"] else []).encode()
        else:
            self.asked.append(scope["path"])
            parts, is_whole = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            headers = [(b"content-type", b'multipart/related; type="application/dicom"; boundary=xx')]
            body = b"".join(write_part("xx", {}) + part for part in parts) + (write_end("xx") if is_whole else b"")
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _uid(text: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [text]}


def retrieved(server: Promising, folder: Path) -> Output:
    with serving_asgi(server) as url, quick_client(url) as service:
        result = retrieving.retrieve(service, retrieving.Plan((STUDY,), folder, parallel=1))
    return Output(len(result.missing), "\n".join(result.lines()), "")


def promised_of(count: int) -> list[tuple[str, str]]:
    return [("1.2.3.1", f"1.2.3.1.{number}") for number in range(1, count + 1)]


def test_an_answer_that_breaks_off_is_completed_by_asking_for_the_rest(tmp_path: Path) -> None:
    files = a_series(3)
    server = Promising(promised_of(3), [(files[:2], False), ([files[1]], True), ([files[2]], True)])
    assert retrieved(server, tmp_path).exit_code == 0
    assert [path.rpartition("/")[2] for path in server.asked] == ["1.2.3.1", "1.2.3.1.2", "1.2.3.1.3"]
    assert len(content_of(tmp_path)) == 3


def test_what_never_arrives_is_missing_and_named(tmp_path: Path) -> None:
    result = retrieved(Promising(promised_of(3), [(a_series(3)[:2], True)]), tmp_path)
    assert result.exit_code == 1
    assert "missing: 1.2.3/1.2.3.1/1.2.3.1.3.dcm" in result.text
    assert "2 retrieved, 0 already there, 1 missing" in result.text


@pytest.mark.parametrize(
    "part",
    [b"no DICOM", b"", a_file(StudyInstanceUID="6.6.6"), a_file(SOPInstanceUID=None), a_file()[:300]],
    ids=["junk", "empty", "another study", "without a UID", "cut off"],
)
def test_parts_that_are_not_what_was_asked_for_are_dropped(tmp_path: Path, part: bytes) -> None:
    result = retrieved(Promising(promised_of(1), [([part], True)]), tmp_path)
    assert result.exit_code == 1
    assert content_of(tmp_path) == {}


@pytest.mark.parametrize("uid", ["../../etc/x", "", "1/2", "1.2\n", ".."])
def test_a_server_cannot_name_files(tmp_path: Path, uid: str) -> None:
    with pytest.raises(Exception, match="lacks a UID, or has one that is none"):
        retrieved(Promising([("1.2.3.1", uid)], [([], True)]), tmp_path)
    assert content_of(tmp_path) == {}


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.incoming() as opened:
        spool = folder.open(opened)
        spool.write(a_file())
        assert not list(tmp_path.rglob("*.dcm"))
        assert folder.take(spool, STUDY) == Instance(STUDY, "1.2.3.1", "1.2.3.1.1")
    assert content_of(tmp_path) == {f"{STUDY}/1.2.3.1/1.2.3.1.1.dcm": a_file()}
