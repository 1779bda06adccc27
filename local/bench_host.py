"""The host that the benchmark measures: the ASGI host in a process of its own over a fresh local AWS."""

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import httpx

from local.stack import OwnAws, free_port, local_aws

MB = 1024 * 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A server, and how to ask what it has done so far; a peer tells nothing.

    Attributes:
        calls: of AWS.
        bytes_read: of objects in S3.
        cpu_s: CPU seconds of the process.
    """

    http: httpx.Client
    calls: Callable[[], int] = lambda: 0
    bytes_read: Callable[[], int] = lambda: 0
    cpu_s: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True)
class OwnHost:
    """The target, its process and its AWS."""

    target: Target
    pid: int
    aws: OwnAws


@contextmanager
def own_host() -> Iterator[OwnHost]:
    """A host that is gone afterwards, with its data."""
    with tempfile.TemporaryDirectory() as folder, local_aws(Path(folder)) as aws:
        aws.deploy()
        variables = {**aws.variables(), **aws.outputs().variables()}
        context = multiprocessing.get_context("spawn")
        calls, bytes_read = context.Value("q", 0), context.Value("q", 0)
        port = free_port()
        process = context.Process(target=_serve, args=(variables, port, calls, bytes_read), daemon=True)
        process.start()
        pid = process.pid or 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/dicom-web/", timeout=1200) as http:
            _wait(http)
            yield OwnHost(Target(http, lambda: calls.value, lambda: bytes_read.value, lambda: cpu_s(pid)), pid, aws)
        process.terminate()
        process.join()


def _serve(variables: dict[str, str], port: int, calls: "Synchronized[int]", bytes_read: "Synchronized[int]") -> None:
    os.environ.update(variables)
    import uvicorn
    from botocore.httpsession import URLLib3Session

    send = URLLib3Session.send

    def send_and_count(session: Any, request: Any) -> Any:
        answer = send(session, request)
        with calls.get_lock():
            calls.value += 1
            bytes_read.value += int(answer.headers.get("content-length", 0)) if request.method == "GET" else 0
        return answer

    # Every call of AWS goes through it, and S3 alone is asked with GET.
    URLLib3Session.send = send_and_count  # type: ignore[method-assign,assignment]
    from dicomweb.api.asgi import make_app

    uvicorn.run(make_app(), host="127.0.0.1", port=port, log_level="warning", server_header=False)


def _wait(http: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            http.get("studies?limit=1").raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB; without pages of mapped files, which the kernel takes back when it wants."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def while_watching(pid: int, operation: Callable[[], int]) -> tuple[int, float, float]:
    """(what it returns, seconds, highest resident MB of a process) of an operation."""
    highest, done = [resident_mb(pid)], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            highest[0] = max(highest[0], resident_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        result = operation()
    finally:
        done.set()
        watcher.join()
    return result, time.perf_counter() - started, highest[0]
