"""`dicomweb store` against our own server, on a real socket."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from local.bench_host import resident_mb
from tests.builders import PYDICOM_FILES, ROOT, a_file, a_series
from tests.cli.conftest import Command, run
from tests.cli.fake_server import FakeServer, all_stored, serving_asgi
from tests.conformance.test_dicomweb_client import REFUSED

CORPUS = PYDICOM_FILES / "test_files"


def instances(url: str, **parameters: str) -> list[str]:
    rows = httpx.get(f"{url}/instances", params=parameters).json()
    return sorted(row["00080018"]["Value"][0] for row in rows)


def reported(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """A command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/dicomweb'}"}
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.filterwarnings("ignore")  # of pydicom, about old files
def test_a_folder_is_stored_with_what_can_be_and_every_failure_is_named(
    dicomweb: Command, server: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    first = dicomweb("store", CORPUS, "--report", report)
    document = reported(report)
    # Some files have the UIDs of others: of these the server keeps the first, and knows them all later.
    others = [each for each in document["failures"] if each["reason"] != "0111H"]
    failed = {str(Path(each["path"]).relative_to(PYDICOM_FILES)) for each in others}
    assert first.exit_code == 1
    assert failed <= set(REFUSED)
    assert all(f"failed: {PYDICOM_FILES / name}\n" in first.text for name in failed)
    assert all(each["reason"] and each["comment"] for each in document["failures"])
    assert document["skipped"]["DICOMDIR"] >= 7
    assert document["skipped"]["no DICOM file: expected DICM at byte 128"] >= 4
    assert len(set(instances(server))) == len(instances(server)) > 80

    second = dicomweb("store", CORPUS, "--report", report)
    again = reported(report)
    assert second.exit_code == 1  # what could not be stored cannot be stored now
    assert again["stored"] == 0
    assert again["alreadyThere"] + again["failed"] == document["stored"] + document["failed"]
    assert all(each in others for each in again["failures"])


def test_zip_files_are_stored_from_their_members(dicomweb: Command, server: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for number, content in enumerate(a_series(5)):
            file.writestr(f"deep/{number}/x.dcm", content)
        file.writestr("DICOMDIR", a_file(SOPInstanceUID="1.9"))
        file.writestr("readme.txt", "text")
    result = dicomweb("store", tmp_path)
    assert result.exit_code == 0
    assert "5 stored, 0 already there, 0 failed, 2 skipped" in result.text
    assert len(instances(server)) == 5
    assert "0 stored, 5 already there" in dicomweb("store", tmp_path / "a.zip").text


def test_what_is_there_is_sent_with_no_skip(dicomweb: Command, tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(a_file())
    dicomweb("store", tmp_path)
    assert "0 stored, 1 already there" in dicomweb("store", tmp_path).text
    assert "1 stored, 0 already there" in dicomweb("store", tmp_path, "--no-skip").text


def test_files_that_are_no_dicom_are_failures_when_strict(dicomweb: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "DICOMDIR").write_bytes(b"")
    assert dicomweb("store", tmp_path).exit_code == 0
    strict = dicomweb("store", tmp_path, "--strict")
    assert strict.exit_code == 1
    assert "notes.txt\n  SOP Instance UID not known: no DICOM file: expected DICM at byte 128" in strict.text
    assert "1 failed, 1 skipped" in strict.text


def test_other_content_under_a_known_uid_fails_with_the_servers_reason(dicomweb: Command, tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(a_file())
    (tmp_path / "2").write_bytes(a_file(Rows=8))
    result = dicomweb("store", tmp_path, "--parallel", 1)
    assert result.exit_code == 1
    assert "SOP Instance UID 1.2.3.1.1: 0111H (duplicate SOP instance)" in result.text


def test_a_warning_of_the_server_is_told(dicomweb: Command, tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(a_file().replace(CTImageStorage.encode(), MRImageStorage.encode(), 1))
    told = dicomweb("store", tmp_path / "a.dcm", "--report", tmp_path / "report.json")
    assert told.exit_code == 0  # it is stored
    assert "stored with a warning: " in told.text
    (warning,) = reported(tmp_path / "report.json")["warnings"]
    assert warning["sopInstanceUID"] == "1.2.3.1.1"
    assert warning["warning"].startswith("B007H (data set does not match its SOP class): Media Storage SOP Class UID")


def test_thousands_of_small_files_are_sent_once_each(tmp_path: Path) -> None:
    for number, content in enumerate(a_series(2000)):
        folder = tmp_path / str(number % 7)
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.dcm").write_bytes(content)
    server = FakeServer(lambda _, uids, __: all_stored(uids), remembers=True)
    with serving_asgi(server) as url:
        result = run("store", tmp_path, "--url", url)
        assert "2000 stored, 0 already there, 0 failed, 0 skipped" in result.text
        assert len({uid for uids in server.requests for uid in uids}) == 2000
        assert len(server.requests) == 10
        assert "0 stored, 2000 already there" in run("store", tmp_path, "--url", url).text


class Slow:
    """An application that takes its time for each store."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._seconds = seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        import asyncio

        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["method"] == "POST":
            await asyncio.sleep(self._seconds)
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name != b"host"}
        query = scope["query_string"].decode()
        async with httpx.AsyncClient() as http:
            answer = await http.request(
                scope["method"], f"{self._url}{scope['path']}?{query}", content=body, headers=headers
            )
        await send({"type": "http.response.start", "status": answer.status_code, "headers": []})
        await send({"type": "http.response.body", "body": answer.content})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_what_was_ended_half_way_is_resumed_and_all_is_there_once(
    server: str, tmp_path: Path, number: signal.Signals
) -> None:
    for each, content in enumerate(a_series(40)):
        (tmp_path / f"{each}.dcm").write_bytes(content)
    with serving_asgi(Slow(server, 0.3)) as slow:
        process = start("store", tmp_path, "--url", slow, "--batch-count", 4, "--parallel", 2)
        deadline = time.monotonic() + 30
        while not len(instances(server)) >= 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        output = process.communicate(timeout=30)[0].decode()
    before = len(instances(server))
    assert 4 <= before < 40
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert f"{before} stored, 0 already there, 0 failed" in output
        assert "interrupted" in output
        assert "Traceback" not in output
    result = run("store", tmp_path, "--url", server)
    assert f"{40 - before} stored, {before} already there, 0 failed" in result.text
    assert len(instances(server)) == 40


@pytest.mark.parametrize("in_zip", [False, True])
def test_a_large_file_is_sent_in_flat_memory(tmp_path: Path, in_zip: bool) -> None:
    large = tmp_path / "large.dcm"
    with large.open("wb") as file:
        file.write(a_file())
        file.truncate(300_000_000)
    if in_zip:
        with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_DEFLATED) as made:
            made.write(large, "large.dcm")
        large.unlink()
    sink = Sink()
    with serving_asgi(sink) as url:
        process = start("store", tmp_path, "--url", url)
        highest = 0.0
        while process.poll() is None:
            if sink.received:
                highest = max(highest, _resident_mb(process.pid))
            time.sleep(0.01)
        output = process.communicate()[0].decode()
    assert "1 stored" in output
    assert sink.received > 300_000_000
    assert 0 < highest < 150


def _resident_mb(pid: int) -> float:
    try:
        return resident_mb(pid)
    except (OSError, IndexError):  # it has ended
        return 0.0


class Sink:
    """Counts bytes, and has stored the instance of `a_file`."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            self.received += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = json.dumps(all_stored(["1.2.3.1.1"])[1] if scope["method"] == "POST" else []).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


def test_a_file_that_cannot_be_read_fails_alone(dicomweb: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number, content in enumerate(a_series(3, PixelData=bytes(1_000_000))):
            file.writestr(f"{number}.dcm", content)
    broken = bytearray(path.read_bytes())
    at = broken.index(b"1.dcm") + 5 + len(content) - 10
    broken[at] ^= 0xFF  # a byte of the second member's pixel data: its checksum is wrong now
    path.write_bytes(broken)
    result = dicomweb("store", path)
    assert result.exit_code == 1
    assert "2 stored, 0 already there, 1 failed" in result.text
    assert f"failed: {path}!/1.dcm\n  SOP Instance UID 1.2.3.1.2: cannot be read: Bad CRC-32" in result.text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--url", "ftp://x"], "expected the URL of a Studies Service"),
        (["--url", "nonsense"], "expected the URL of a Studies Service"),
        (["--url", "http://127.0.0.1:9"], "does not answer"),
        (["--header", "secret"], "expected 'Name: value'"),
        (["--user", "name"], "expected name:password"),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2_and_says_what_was_expected(
    dicomweb: Command, tmp_path: Path, arguments: list[str], expected: str
) -> None:
    (tmp_path / "1").write_bytes(a_file())
    result = dicomweb("store", tmp_path, *arguments)
    assert result.exit_code == 2
    assert expected in result.text


def test_a_path_that_is_not_there_is_exit_code_2(dicomweb: Command, tmp_path: Path) -> None:
    assert dicomweb("store", tmp_path / "nowhere").exit_code == 2
