"""The command of the Dockerfile, in a folder laid out as its image: nothing but what the image has can be imported."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local.stack import LocalAws, free_port
from tests import dockerfile
from tests.builders import MULTIPART, ROOT, a_body, a_file
from tests.stack import journey
from tests.stack.hosts import variables

UV = Path(sys.executable).parent / "uv"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of the image, and a Python that has nothing else."""
    root = tmp_path_factory.mktemp("image")
    requirements: list[str | Path] = []
    for source, target in dockerfile.copied().items():
        place = root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-R", ROOT / source, place], check=True)
        if place.suffix == ".txt":
            requirements += ["--requirement", place]
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, root / "python"], check=True)
    into: list[str | Path] = ["--target", root / "dependencies", "--python", root / "python/bin/python"]
    subprocess.run([UV, "pip", "install", "--quiet", "--no-deps", *into, *requirements], check=True)
    (root / "scratch").mkdir()
    return root


@contextmanager
def running(image: Path, aws: LocalAws) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The container's command, on a free port of this machine alone."""
    port = free_port()
    places = {"0.0.0.0": "127.0.0.1", "8080": str(port), "python": str(image / "python/bin/python")}  # noqa: S104
    told = dockerfile.environment()
    folders = [str(image / each.lstrip("/")) for each in told["PYTHONPATH"].split(":")]
    told |= {"PYTHONPATH": ":".join(folders), "TMPDIR": str(image / told["TMPDIR"].lstrip("/"))}
    process = subprocess.Popen(
        [places.get(word, word) for word in dockerfile.command()],
        env={"PATH": os.environ["PATH"], **told, **variables(aws)},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(url, process)
        yield url, process
    finally:
        process.kill()
        process.wait()


def wait_until_healthy(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError((process.communicate()[0] or b"it did not start").decode())


def files(image: Path) -> set[Path]:
    return set(image.rglob("*"))


def test_the_image_serves_every_transaction_and_writes_nothing_into_itself(image: Path, aws: LocalAws) -> None:
    before = files(image)
    with running(image, aws) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        journey.store_search_retrieve_delete(client)
        large = a_file(PixelData=bytes(8_000_000), Rows=2000, Columns=2000)  # waits in TMPDIR
        stored = client.post("/dicom-web/studies", content=large, headers={"Content-Type": "application/dicom"})
        assert stored.status_code == 200
        assert client.delete("/dicom-web/studies/1.2.3").status_code == 204
        assert files(image) == before


def test_a_store_that_is_under_way_ends_before_the_server_does(image: Path, aws: LocalAws) -> None:
    body = a_body([a_file(StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.1")])

    with running(image, aws) as (url, process):

        def stopped_half_way() -> Iterator[bytes]:
            yield body[:500]
            process.send_signal(signal.SIGTERM)
            wait_until_refused(url)
            yield body[500:]

        answer = httpx.post(
            f"{url}/dicom-web/studies", content=stopped_half_way(), headers={"Content-Type": MULTIPART}, timeout=30
        )
        assert answer.status_code == 200
        assert process.wait(15) in (0, -signal.SIGTERM)
    with running(image, aws) as (url, _):
        assert len(httpx.get(f"{url}/dicom-web/studies?StudyInstanceUID=1.2.9").json()) == 1
        assert httpx.delete(f"{url}/dicom-web/studies/1.2.9").status_code == 204


def wait_until_refused(url: str) -> None:
    """New requests go elsewhere once the server was told to end."""
    port = httpx.URL(url).port
    assert port
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("it still takes connections")
