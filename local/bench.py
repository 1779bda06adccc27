"""`make bench`: what each operation takes over loopback: time, AWS calls, bytes read from S3, CPU of our process.

Synthetic CT (512 x 512, 16 bit). PEER_URL= runs the same against another DICOMweb server and prints the ratios.
Then stores by one and by several clients (see bench_store.py), and stores at an Orthanc and retrieves from it (see
bench_client.py).
LARGE= goes on with an object of so many GB, while the host's memory is watched (see bench_large.py).
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from local import bench_client, bench_large, bench_store
from local.bench_files import (
    MULTIPART,
    Ct,
    body_of,
    dx_file,
    encapsulated_file,
    instance_path,
    native_file,
    series_path,
)
from local.bench_host import MB, Target, own_host

_DICOM = 'multipart/related; type="application/dicom"'
_STORED, _EXPLICIT = f"{_DICOM}; transfer-syntax=*", f"{_DICOM}; transfer-syntax=1.2.840.10008.1.2.1"
_FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'

Operation = Callable[[int], int]  # number of the run → bytes of the answer


@dataclass(frozen=True)
class Figure:
    """What one operation took: median milliseconds; the others a run."""

    ms: float
    calls: float
    read_kb: float
    cpu_ms: float
    answer_mb: float

    @property
    def mb_per_cpu_s(self) -> str:
        """The rate of an answer worth it."""
        return f"{self.answer_mb / self.cpu_ms * 1000:.0f}" if self.answer_mb >= 1 and self.cpu_ms else ""


def measure(target: Target, runs: int, operation: Operation) -> Figure:
    """Run an operation some times; every answer must be a success."""
    times, answered = [], 0
    calls, bytes_read, cpu_s = target.calls(), target.bytes_read(), target.cpu_s()
    for run in range(runs):
        started = time.perf_counter()
        answered += operation(run)
        times.append(time.perf_counter() - started)
    return Figure(
        statistics.median(times) * 1000,
        (target.calls() - calls) / runs,
        (target.bytes_read() - bytes_read) / runs / 1024,
        (target.cpu_s() - cpu_s) * 1000 / runs,
        answered / runs / MB,
    )


def run(target: Target) -> dict[str, Figure]:
    """All operations, by name; without those that a peer cannot do."""
    http = target.http
    figures: dict[str, Figure] = {}

    def store(*files: Iterable[bytes]) -> int:
        answer = http.post("studies", content=body_of(files), headers=MULTIPART)
        if answer.status_code != 200:
            raise httpx.HTTPStatusError(answer.text[:500], request=answer.request, response=answer)
        return 0

    def store_series(ct: Ct, study: int, count: int) -> None:
        for first in range(1, count + 1, 50):
            store(*([ct.make(study, 1, number)] for number in range(first, min(first + 50, count + 1))))

    def get(path: str, accept: str = "application/dicom+json", **parameters: str | int) -> Operation:
        def operation(_: int) -> int:
            with http.stream("GET", path, params=parameters, headers={"Accept": accept}) as answer:
                answer.raise_for_status()
                return sum(len(chunk) for chunk in answer.iter_raw(MB))

        return operation

    def note(name: str, runs: int, operation: Operation) -> None:
        try:
            figures[name] = measure(target, runs, operation)
        except httpx.HTTPStatusError as error:
            print(f"{name}: {error.response.status_code}")

    ct, small = Ct(), Ct(16)
    store([ct.make(900, 1, 1)])  # connections and code are warm from here on
    note("store 1", 20, lambda n: store([ct.make(1, 1, n + 1)]))
    fifties = [[[ct.make(10 + n, 1, number)] for number in range(1, 51)] for n in range(4)]
    note("store 50 in one request", 4, lambda n: store(*fifties[n]))
    for study in track(range(100, 300), "Storing 200 studies …", transient=True):
        store([ct.make(study, 1, 1, f"2024{study % 12 + 1:02d}{study % 28 + 1:02d}")])
    note("search studies, 100 of 206", 10, get("studies", limit=100))
    note("search by PatientID", 20, get("studies", PatientID="P00000150"))
    note("search by StudyDate range", 20, get("studies", StudyDate="20240301-20240331"))

    for study, count in ((10, 50), (20, 200), (21, 1000)):
        if study != 10:
            store_series(small, study, count)
        note(f"metadata of {count}, first", 1, get(f"{series_path(study)}/metadata"))
        note(f"metadata of {count}", 20, get(f"{series_path(study)}/metadata"))

    note("retrieve 50 instances", 10, get(series_path(10), _STORED))
    note("ZIP of 50 instances", 10, get(series_path(10), "application/zip"))
    store_series(ct, 30, 500)
    note("retrieve 500 instances", 2, get(series_path(30), _STORED))
    store_series(ct.compressed(), 31, 50)
    note("JPEG 2000 to Explicit LE, 50, first", 1, get(series_path(31), _EXPLICIT))
    note("JPEG 2000 to Explicit LE, 50", 5, get(series_path(31), _EXPLICIT))

    note("frame 1 of 1", 20, get(f"{instance_path(10)}/frames/1", _FRAMES))
    store([dx_file(42)])
    for kind in ("image/jpeg", "image/png"):
        note(f"rendered {kind}, CT", 50, get(f"{instance_path(10)}/rendered", kind))
        note(f"rendered {kind}, 3000 x 2500", 5, get(f"{instance_path(42)}/rendered", kind))
    note("thumbnail, first", 1, get(f"{instance_path(42)}/thumbnail", "image/jpeg"))
    note("thumbnail", 50, get(f"{instance_path(42)}/thumbnail", "image/jpeg"))
    note("thumbnail of 500 instances", 50, get(f"{series_path(30)}/thumbnail", "image/jpeg"))

    store(native_file(ct, 40, 1, 100), encapsulated_file(40, 2, 100, 100_000))
    store(native_file(small, 41, 1, 10_000), encapsulated_file(41, 2, 10_000, 10_000))
    hundred = ",".join(map(str, range(1, 101)))
    for instance, kind in ((1, "native"), (2, "compressed")):
        note(f"frames 1-100, {kind}", 5, get(f"{instance_path(40, instance)}/frames/{hundred}", _FRAMES))
        note(f"frame 7,000 of 10,000, {kind}", 20, get(f"{instance_path(41, instance)}/frames/7000", _FRAMES))
    note("rendered frame 5,000 of 10,000", 50, get(f"{instance_path(41)}/frames/5000/rendered", "image/jpeg"))
    return figures


def table_of(ours: dict[str, Figure], peer: dict[str, Figure]) -> Table:
    """The figures; with a peer's, also the ratios."""
    table = Table(
        *("operation", "median ms", "AWS calls", "KB from S3", "CPU ms", "MB / CPU s"),
        *(("peer ms", "ours / peer") if peer else ()),
    )
    for name, figure in ours.items():
        row = [name, f"{figure.ms:.1f}", f"{figure.calls:.1f}", f"{figure.read_kb:.0f}", f"{figure.cpu_ms:.1f}"]
        row.append(figure.mb_per_cpu_s)
        if other := peer.get(name):
            row += [f"{other.ms:.1f}", f"{figure.ms / other.ms:.2f}"]
        table.add_row(*row)
    return table


def main() -> None:
    """Measure, and print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    peer: dict[str, Figure] = {}
    stored_by_peer: dict[bench_store.Shape, bench_store.Figure] = {}
    if peer_url := os.environ.get("PEER_URL"):
        with httpx.Client(base_url=peer_url.rstrip("/") + "/", timeout=600) as http:
            peer, stored_by_peer = run(Target(http)), bench_store.run(Target(http))
    with own_host() as host:
        console.print(table_of(run(host.target), peer))
    with own_host() as host:
        console.print(bench_store.table_of(bench_store.run(host.target), stored_by_peer))
    gigabytes = int(os.environ.get("LARGE") or 0)
    with own_host() as host:
        console.print(bench_client.run(host, large=bool(gigabytes)))
    if gigabytes:
        with own_host() as host:
            console.print(bench_large.run(host, gigabytes))


if __name__ == "__main__":
    main()
