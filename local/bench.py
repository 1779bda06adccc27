"""`make bench`: what each operation takes over loopback, in time, AWS calls and CPU of our process.

Synthetic CT (512 x 512, 16 bit). PEER_URL= runs the same against another DICOMweb server and prints the ratios.
BENCH_GB= is the size of the body and study that pass while the host's memory is watched (default 2, 0 for none).
"""

import io
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import httpx
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from rich.console import Console
from rich.progress import track
from rich.table import Table

from local.stack import free_port, local_aws

_BOUNDARY = "bench-boundary-0123456789abcdef"
_STOW = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}'}
_ROOT_UID = "1.2.826.0.1.3680043.10.1337"
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_MB = 1024 * 1024
_LARGE_INSTANCE = 16 * _MB  # bytes of an instance of the large study


@dataclass(frozen=True)
class Target:
    """A server, and how to ask how it fares; a peer tells nothing."""

    http: httpx.Client
    calls: Callable[[], int]
    cpu_s: Callable[[], float]


@dataclass(frozen=True)
class Figure:
    """What one operation took: median milliseconds, and calls and CPU milliseconds a run."""

    ms: float
    calls: float
    cpu_ms: float


class Ct:
    """Makes CT files: the pixels once, the UIDs into a copy of the bytes."""

    def __init__(self) -> None:
        noise = np.random.default_rng(1).normal(1000, 100, (512, 512)).astype("<u2")
        ds = Dataset()
        ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = (_ROOT_UID + "." + mark * 20 for mark in "123")
        ds.PatientName, ds.PatientID, ds.AccessionNumber = "Bench^CT", "P00000000", "A00000000"
        ds.StudyDate, ds.StudyTime, ds.StudyDescription = "20240101", "101500", "Synthetic CT"
        ds.InstanceNumber, ds.SeriesNumber = "000001", 1
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 1.5], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness, ds.KVP = [0.7, 0.7], "1.25", "120"
        ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope = 40, 400, "-1024", "1"
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 512, 512, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PixelData = noise.tobytes()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        file = io.BytesIO()
        pydicom.dcmwrite(file, ds, enforce_file_format=True)
        self._bytes = file.getvalue()

    def make(self, study: int, series: int, instance: int, date: str = "20240101") -> bytes:
        """One file; the number of a study is also that of its patient."""
        uids = {"1": f"{study:020d}", "2": f"{study:010d}{series:010d}", "3": f"{study:010d}{instance:010d}"}
        made = self._bytes
        for mark, digits in uids.items():
            made = made.replace(f".{mark * 20}".encode(), f".{int('1' + digits[1:]):020d}".encode())
        made = made.replace(b"P00000000", f"P{study:08d}".encode()).replace(b"A00000000", f"A{study:08d}".encode())
        return made.replace(b"20240101", date.encode()).replace(b"000001", f"{instance:06d}".encode(), 1)


def study_uid(study: int) -> str:
    return f"{_ROOT_UID}.{int('1' + f'{study:020d}'[1:]):020d}"


def series_uid(study: int, series: int) -> str:
    return f"{_ROOT_UID}.{int('1' + f'{study:010d}{series:010d}'[1:]):020d}"


def instance_uid(study: int, instance: int) -> str:
    return f"{_ROOT_UID}.{int('1' + f'{study:010d}{instance:010d}'[1:]):020d}"


def body_of(files: list[bytes]) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + file + b"\r\n" for file in files) + f"--{_BOUNDARY}--\r\n".encode()


def measure(target: Target, runs: int, operation: Callable[[int], httpx.Response]) -> Figure:
    """Run an operation some times; every answer must be a success."""
    times = []
    calls, cpu_s = target.calls(), target.cpu_s()
    for run in range(runs):
        started = time.perf_counter()
        answer = operation(run)
        times.append(time.perf_counter() - started)
        answer.raise_for_status()
    return Figure(
        statistics.median(times) * 1000, (target.calls() - calls) / runs, (target.cpu_s() - cpu_s) * 1000 / runs
    )


def run(target: Target, ct: Ct) -> dict[str, Figure]:
    """All operations, by name."""
    http = target.http

    def store(files: list[bytes]) -> httpx.Response:
        return http.post("studies", content=body_of(files), headers=_STOW)

    def get(
        path: str, accept: str = "application/dicom+json", **parameters: str | int
    ) -> Callable[[int], httpx.Response]:
        return lambda _: http.get(path, params=parameters, headers={"Accept": accept})

    figures = {}
    store([ct.make(900, 1, 1)]).raise_for_status()  # connections and code are warm from here on
    singles = [ct.make(1, 1, number) for number in range(1, 21)]
    figures["store 1"] = measure(target, 20, lambda n: store([singles[n]]))
    fifties = [[ct.make(10 + n, 1, number) for number in range(1, 51)] for n in range(4)]
    figures["store 50 in one request"] = measure(target, 4, lambda n: store(fifties[n]))
    for study in track(range(100, 300), "Storing 200 studies …", transient=True):
        store([ct.make(study, 1, 1, f"2024{study % 12 + 1:02d}{study % 28 + 1:02d}")]).raise_for_status()
    figures["search studies, 100 of 206"] = measure(target, 10, get("studies", limit=100))
    figures["search by PatientID"] = measure(target, 20, get("studies", PatientID="P00000150"))
    figures["search by StudyDate range"] = measure(target, 20, get("studies", StudyDate="20240301-20240331"))
    series = f"studies/{study_uid(10)}/series/{series_uid(10, 1)}"
    figures["metadata of 50, first"] = measure(target, 1, get(f"{series}/metadata"))
    figures["metadata of 50"] = measure(target, 20, get(f"{series}/metadata"))
    store([ct.make(20, 1, number) for number in range(1, 201)]).raise_for_status()
    long_series = f"studies/{study_uid(20)}/series/{series_uid(20, 1)}"
    figures["metadata of 200, first"] = measure(target, 1, get(f"{long_series}/metadata"))
    figures["metadata of 200"] = measure(target, 20, get(f"{long_series}/metadata"))
    dicom = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    figures["retrieve 50 instances"] = measure(target, 5, get(series, dicom))
    frame = f"{series}/instances/{instance_uid(10, 1)}/frames/1"
    octets = "multipart/related; type=application/octet-stream; transfer-syntax=*"
    figures["frame 1"] = measure(target, 20, get(frame, octets))
    return figures


def watch_memory(http: httpx.Client, pid: int, ct: Ct, gigabytes: float) -> list[tuple[str, str, str, str]]:
    """Rows (operation, seconds, MB/s, resident memory before, highest) of a large body and a large study."""
    count = int(gigabytes * 1024 * _MB / _LARGE_INSTANCE)
    template = ct.make(800, 1, 1)
    pixels = len(template) - template.rindex(b"\xe0\x7f\x10\x00OW")

    def large_instance(number: int) -> bytes:
        file = ct.make(800, 1, number)
        frames = _LARGE_INSTANCE // (512 * 512 * 2)
        head = file[: len(file) - pixels].replace(
            b"\x28\x00\x10\x00US", b"\x28\x00\x08\x00IS\x02\x0032\x28\x00\x10\x00US"
        )
        value = file[len(file) - pixels + 12 :] * frames
        return head + b"\xe0\x7f\x10\x00OW\0\0" + len(value).to_bytes(4, "little") + value

    def body() -> Iterator[bytes]:
        for number in range(1, count + 1):
            yield f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            yield large_instance(number)
            yield b"\r\n"
        yield f"--{_BOUNDARY}--\r\n".encode()

    def store() -> None:
        http.post("studies", content=body(), headers=_STOW).raise_for_status()

    def retrieve() -> None:
        with http.stream("GET", f"studies/{study_uid(800)}") as answer:
            answer.raise_for_status()
            size = sum(len(chunk) for chunk in answer.iter_raw(_MB))
        assert size > count * _LARGE_INSTANCE  # noqa: S101 — nothing of it may be missing

    rows = []
    for name, operation in (
        (f"store {gigabytes:g} GB in one request", store),
        (f"retrieve {gigabytes:g} GB", retrieve),
    ):
        before = resident_mb(pid)
        seconds, highest = _while_watching(pid, operation)
        rate = f"{count * _LARGE_INSTANCE / _MB / seconds:.0f} MB/s"
        rows.append((name, f"{seconds:.1f} s", rate, f"{before:.0f} → {highest:.0f} MB"))
    return rows


def _while_watching(pid: int, operation: Callable[[], None]) -> tuple[float, float]:
    """(seconds, highest resident MB) of an operation."""
    highest, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            highest[0] = max(highest[0], resident_mb(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        operation()
    finally:
        done.set()
        watcher.join()
    return time.perf_counter() - started, highest[0]


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@contextmanager
def our_server() -> Iterator[tuple[Target, int]]:
    """The ASGI host in a process of its own over a fresh local AWS; the target and its process id."""
    with tempfile.TemporaryDirectory() as folder, local_aws(Path(folder)) as aws:
        aws.deploy()
        outputs = aws.outputs()
        variables = {**aws.variables(), "DICOMWEB_BUCKET": outputs.bucket, "DICOMWEB_TABLE": outputs.table}
        context = multiprocessing.get_context("spawn")
        calls = context.Value("q", 0)
        port = free_port()
        process = context.Process(target=_serve, args=(variables, port, calls), daemon=True)
        process.start()
        pid = process.pid or 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/dicom-web/", timeout=600) as http:
            _wait(http)
            yield Target(http, lambda: calls.value, lambda: cpu_s(pid)), pid
        process.terminate()
        process.join()


def _serve(variables: dict[str, str], port: int, calls: "Synchronized[int]") -> None:
    os.environ.update(variables)
    import boto3
    import uvicorn

    def count(**_: object) -> None:
        with calls.get_lock():
            calls.value += 1

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-send", count)  # type: ignore[union-attr]
    from dicomweb.api.asgi import make_app

    uvicorn.run(make_app(), host="127.0.0.1", port=port, log_level="warning")


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


def main() -> None:
    """Measure, and print the tables."""
    console = Console()
    ct = Ct()
    peer: dict[str, Figure] = {}
    if peer_url := os.environ.get("PEER_URL"):
        with httpx.Client(base_url=peer_url.rstrip("/") + "/", timeout=600) as http:
            peer = run(Target(http, lambda: 0, lambda: 0.0), ct)
    with our_server() as (target, pid):
        table = Table("operation", "median ms", "AWS calls", "CPU ms", *(["peer ms", "ours / peer"] if peer else []))
        for name, figure in run(target, ct).items():
            row = [name, f"{figure.ms:.1f}", f"{figure.calls:.1f}", f"{figure.cpu_ms:.1f}"]
            if peer:
                row += [f"{peer[name].ms:.1f}", f"{figure.ms / peer[name].ms:.2f}"]
            table.add_row(*row)
        console.print(table)
        if gigabytes := float(os.environ.get("BENCH_GB", "2")):
            memory = Table("operation", "time", "rate", "resident memory, before → highest")
            for cells in watch_memory(target.http, pid, ct, gigabytes):
                memory.add_row(*cells)
            console.print(memory)


if __name__ == "__main__":
    main()
