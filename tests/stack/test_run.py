"""`make run`, as a user runs it: stored is stored, whatever is killed."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from local.stack import free_port
from tests.builders import MULTIPART, ROOT, a_body, a_series

FILES = a_series(20)


def environment(**changes: str) -> dict[str, str]:
    """Ours, as if no make had started us."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | changes


@contextmanager
def running(data: Path, port: int) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=environment(PORT=str(port), DATA_DIR=str(data)),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    line = process.stdout.readline()
    assert f"http://127.0.0.1:{port}/dicom-web" in line
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client, process
    process.wait(30)


def processes_of(data: Path) -> list[int]:
    """Everything that was started for this data folder, by its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(data).encode() in environment:
                found.append(int(entry.name))
    return found


def retrieve(client: httpx.Client) -> bytes:
    answer = client.get("/dicom-web/studies/1.2.3")
    assert answer.status_code == 200
    return answer.content


def test_what_was_answered_as_stored_survives_kill_9_of_every_process(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    with running(data, port) as (client, _):
        assert client.get("/health").json() == {"status": "ok"}
        stored = client.post("/dicom-web/studies", content=a_body(FILES), headers={"Content-Type": MULTIPART})
        assert stored.status_code == 200
        for pid in processes_of(data):
            os.kill(pid, signal.SIGKILL)

    started = time.monotonic()
    with running(data, port) as (client, process):
        assert time.monotonic() - started < 15
        (row,) = client.get("/dicom-web/studies?PatientID=P1").json()
        assert row["00201208"]["Value"] == [20]
        content = retrieve(client)
        assert all(file in content for file in FILES)
        assert len(client.get("/dicom-web/studies/1.2.3/metadata").json()) == 20
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    assert processes_of(data) == []

    with running(data, port) as (client, process):
        assert retrieve(client)
        os.killpg(process.pid, signal.SIGTERM)
    assert processes_of(data) == []


def test_a_bad_setting_stops_the_start_with_a_message(tmp_path: Path) -> None:
    bad = environment(DATA_DIR=str(tmp_path), PORT=str(free_port()), DICOMWEB_HTTP_TIMEOUT="soon")
    done = subprocess.run(["make", "run"], cwd=ROOT, env=bad, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "HttpTimeout='soon'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = ["make", "run"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(DATA_DIR=str(tmp_path), PORT=str(port)),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert f"port {port} of 127.0.0.1 is taken" in done.stderr
    assert not (tmp_path / "aws").exists()
