"""Files that a server does not take in one request, by `dicomweb store`: upload sessions, cut parts, a killed command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from typer.testing import CliRunner

from cli.app import app
from cli.service import StudiesService
from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.builders import ROOT, a_data_set, a_file
from tests.conformance.conftest import serving_app

MB = 1024 * 1024
LIMIT = 5 * MB  # of the server's requests
PARTS = 6


def limiting(app: ASGIApp) -> ASGIApp:
    """As API Gateway and Lambda: 413 for a longer request."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if int(headers.get(b"content-length", b"0")) <= LIMIT:
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 413, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b""})

    return limited


@pytest.fixture
def url(deployed_archive: Archive) -> Iterator[str]:
    with serving_app(limiting(make_app(deployed_archive))) as url:
        yield url
        httpx.delete(f"{url}/studies/1.2.60")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of six parts, the last of them short."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    frames = PARTS * 16 - 1
    pixels = b"".join(bytes([number % 251]) * MB for number in range(frames))
    data_set = a_data_set(StudyInstanceUID="1.2.60", Rows=1024, Columns=512, NumberOfFrames=frames, PixelData=pixels)
    path = tmp_path / "large.dcm"
    path.write_bytes(a_file(data_set))
    return path


def stored(url: str) -> bytes:
    """The file as the server has it."""
    (row,) = httpx.get(f"{url}/studies/1.2.60/instances").json()
    return httpx.get(row["00081190"]["Value"][0], headers={"Accept": "application/dicom"}, timeout=60).content


def test_a_third_of_the_parts_fail_and_the_file_is_whole(url: str, large: Path) -> None:
    put, tries = StudiesService.put, []

    def flaky(service: StudiesService, address: str, content: Iterator[bytes], size: int) -> httpx.Response:
        tries.append(size)
        if len(tries) % 3 == 0:
            next(content)
            raise httpx.WriteError("the connection was cut")
        return put(service, address, content, size)

    with patch.object(StudiesService, "put", flaky), patch("cli.retries.Retries.first_s", 0.01):
        done = CliRunner().invoke(app, ["store", str(large), "--url", url])
    assert done.exit_code == 0, done.output
    assert len(tries) > PARTS
    assert stored(url) == large.read_bytes()


def test_a_command_that_is_killed_goes_on_with_what_is_missing(url: str, large: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "store", str(large), "--url", url]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/dicomweb'}"}
    first = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kept = tmp_path / "cache" / "dicomweb" / "uploads.json"
    deadline = time.monotonic() + 60
    while not (kept.exists() and session(url, kept)["Received"] >= 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    upload, before = session(url, kept)["Id"], session(url, kept)["Received"]
    assert 2 <= before < PARTS
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 0, second.stderr
    assert httpx.get(f"{url}/uploads/{upload}").json()["State"] == "Done"
    assert json.loads(kept.read_text()) == {}
    assert stored(url) == large.read_bytes()


def session(url: str, kept: Path) -> dict[str, Any]:
    """The one upload that a command remembers."""
    (path,) = json.loads(kept.read_text()).values()
    found: dict[str, Any] = httpx.get(f"{url}/{path}").json()
    return found


def test_a_bucket_that_lets_nobody_in_is_said_and_not_asked_for_ever(url: str, large: Path) -> None:
    asked = []

    def refused(_service: StudiesService, address: str, _content: Iterator[bytes], _size: int) -> httpx.Response:
        asked.append(address)
        return httpx.Response(403, request=httpx.Request("PUT", address))

    with patch.object(StudiesService, "put", refused):
        done = CliRunner().invoke(app, ["store", str(large), "--url", url])
    assert (done.exit_code, len(asked)) == (1, 1), done.output
    assert "a part was refused: 403" in done.output


def test_urls_whose_time_is_over_are_asked_for_anew(url: str, large: Path) -> None:
    put = StudiesService.put
    over: list[str] = []

    def expiring(service: StudiesService, address: str, content: Iterator[bytes], size: int) -> httpx.Response:
        if "partNumber=3&" in f"{address}&" and not over:
            over.append(address)
            return httpx.Response(403, request=httpx.Request("PUT", address))
        return put(service, address, content, size)

    with patch.object(StudiesService, "put", expiring):
        done = CliRunner().invoke(app, ["store", str(large), "--url", url])
    assert (done.exit_code, len(over)) == (0, 1), done.output
    assert stored(url) == large.read_bytes()


def test_a_large_file_that_is_refused_says_why(url: str, large: Path) -> None:
    os.truncate(large, large.stat().st_size - MB)
    done = CliRunner().invoke(app, ["store", str(large), "--url", url])
    assert done.exit_code == 1, done.output
    assert "C000" in done.output
    assert "truncated" in done.output
    assert httpx.get(f"{url}/studies/1.2.60/instances").content in (b"", b"[]")
