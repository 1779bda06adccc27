"""Stores by one and by several clients at once: rates, and AWS calls and CPU of each instance."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.progress import track
from rich.table import Table

from local.bench_files import MULTIPART, Ct, body_of
from local.bench_host import MB, Target


@dataclass(frozen=True)
class Shape:
    """Instances in one request, requests, and clients that send them side by side."""

    name: str
    ct: Ct
    in_request: int
    requests: int
    clients: int


@dataclass(frozen=True)
class Figure:
    """What a shape came to."""

    seconds: float
    instances: int
    mb: float
    calls: int
    cpu_s: float


def shapes() -> list[Shape]:
    """One, 50 and 500 CT of 512 x 512 in a request; and 1,635 files (356 MB), a request each.

    Of the last it is published that Orthanc on S3 takes 184.6 s with one client and 23.8 s with ten.
    """
    ct, smaller = Ct(), Ct(330)
    by_request = [
        Shape(f"{count} in a request", ct, count, max(clients, requests), clients)
        for count, requests in ((1, 80), (50, 8), (500, 2))
        for clients in (1, 8)
    ]
    return by_request + [Shape("1,635 files, 356 MB", smaller, 1, 1635, clients) for clients in (1, 10)]


def run(target: Target) -> dict[Shape, Figure]:
    """Every shape; each request is a study of its own.

    Raises:
        httpx.HTTPStatusError: something was not stored.
    """
    studies = iter(range(100_000, 1_000_000))
    return {shape: _measure(target, shape, studies) for shape in track(shapes(), "Storing …", transient=True)}


def _measure(target: Target, shape: Shape, studies: Iterator[int]) -> Figure:
    wanted = [next(studies) for _ in range(shape.requests)]

    def store(study: int) -> int:
        files = [shape.ct.make(study, 1, number + 1) for number in range(shape.in_request)]
        answer = target.http.post("studies", content=body_of([file] for file in files), headers=MULTIPART)
        answer.raise_for_status()
        return sum(map(len, files))

    calls, cpu_s, started = target.calls(), target.cpu_s(), time.perf_counter()
    with ThreadPoolExecutor(shape.clients) as clients:
        sent = sum(clients.map(store, wanted))
    seconds = time.perf_counter() - started
    instances = shape.requests * shape.in_request
    return Figure(seconds, instances, sent / MB, target.calls() - calls, target.cpu_s() - cpu_s)


def table_of(ours: dict[Shape, Figure], peer: dict[Shape, Figure]) -> Table:
    """The figures; with a peer's, also the ratios of the rates."""
    table = Table(
        *("store", "clients", "s", "instances/s", "MB/s", "AWS calls each", "CPU ms each"),
        *(("peer s", "ours / peer") if peer else ()),
        caption=f"clients and servers share {os.cpu_count()} cores",
    )
    of_peer = {(shape.name, shape.clients): figure for shape, figure in peer.items()}
    for shape, figure in ours.items():
        rates = [figure.instances / figure.seconds, figure.mb / figure.seconds]
        each = [figure.calls / figure.instances, figure.cpu_s * 1000 / figure.instances]
        row = [shape.name, str(shape.clients), f"{figure.seconds:.1f}", *(f"{rate:.0f}" for rate in rates)]
        row += [f"{value:.2f}" for value in each]
        if other := of_peer.get((shape.name, shape.clients)):
            row += [f"{other.seconds:.1f}", f"{figure.seconds / other.seconds:.2f}"]
        table.add_row(*row)
    return table
