"""Stores at an Orthanc and retrieves from it: the latency of one instance, the rates of 200 CT, waited for or not."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from local.bench_files import MULTIPART, Ct, body_of, native_file, study_uid
from local.bench_host import MB, OwnHost, resident_mb, while_watching
from tests.peers.orthanc import Orthanc, an_orthanc

_STUDY, _LARGE_STUDY = 700, 701
_COUNT, _RUNS = 200, 20
_LARGE_INSTANCES, _LARGE_FRAMES = 4, 1024  # 4 x 512 MB


def run(host: OwnHost, *, large: bool) -> Table:
    """The table says what each took; Orthanc's own synchronous store of one instance takes 504 ms.

    Args:
        large: whether 2 GB go there and back, too.
    """
    table = Table("operation", "s", "instances/s", "MB/s", "AWS calls", "CPU s", "resident MB: before", "peak")
    ct, http = Ct(), host.target.http

    def note(name: str, count: int, size: int, operation: Callable[[], Any]) -> None:
        before, calls, cpu_s = resident_mb(host.pid), host.target.calls(), host.target.cpu_s()
        _, seconds, peak = while_watching(host.pid, lambda: operation() and 0)
        used = host.target.cpu_s() - cpu_s
        row = [name, f"{seconds:.3f}", f"{count / seconds:.0f}", f"{size / MB / seconds:.0f}"]
        row += [str(host.target.calls() - calls), f"{used:.2f}", f"{before:.0f}", f"{peak:.0f}"]
        table.add_row(*row)
        print(*row, sep=" · ", flush=True)

    with tempfile.TemporaryDirectory() as folder, an_orthanc(Path(folder), {}, StorageCompression=False) as orthanc:
        http.put("servers/orthanc", json={"Url": f"{orthanc.url}/dicom-web/", "Timeout": 900}).raise_for_status()
        files = [ct.make(_STUDY, 1, number) for number in range(1, _COUNT + 1)]
        http.post("studies", content=body_of([each] for each in files), headers=MULTIPART).raise_for_status()
        instances = [row["00080018"]["Value"][0] for row in http.get(f"studies/{study_uid(_STUDY)}/instances").json()]
        size, whole = len(files[0]), sum(map(len, files))

        def one() -> None:
            _ask(host, "stow", {"Resources": instances[1:2]})

        one()
        taken = sorted(_timed(one) for _ in range(_RUNS))
        note(f"store 1; median of {_RUNS}: {taken[_RUNS // 2] * 1000:.0f} ms", 1, size, one)
        study: dict[str, Any] = {"Resources": [study_uid(_STUDY)]}
        wanted: dict[str, Any] = {"Resources": [{"Study": study_uid(_STUDY)}]}
        for name, options in (("synchronous", {}), ("asynchronous", {"Synchronous": False})):
            orthanc.delete_all()
            note(f"store {_COUNT}, {name}", _COUNT, whole, lambda options=options: _ask(host, "stow", study | options))  # type: ignore[misc]
            http.delete(f"studies/{study_uid(_STUDY)}").raise_for_status()
            note(
                f"retrieve {_COUNT}, {name}",
                _COUNT,
                whole,
                lambda options=options: _ask(host, "retrieve", wanted | options),  # type: ignore[misc]
            )
        if large:
            _run_large(host, orthanc, ct, note)
    return table


def _run_large(host: OwnHost, orthanc: Orthanc, ct: Ct, note: Callable[..., None]) -> None:
    files = (native_file(ct, _LARGE_STUDY, number, _LARGE_FRAMES) for number in range(1, _LARGE_INSTANCES + 1))
    host.target.http.post("studies", content=body_of(files), headers=MULTIPART).raise_for_status()
    study, size = study_uid(_LARGE_STUDY), _LARGE_INSTANCES * _LARGE_FRAMES * 512 * 1024
    orthanc.delete_all()
    note("store 4 x 512 MB", _LARGE_INSTANCES, size, lambda: _ask(host, "stow", {"Resources": [study]}))
    host.target.http.delete(f"studies/{study}").raise_for_status()
    wanted = {"Resources": [{"Study": study}]}
    note("retrieve 4 x 512 MB", _LARGE_INSTANCES, size, lambda: _ask(host, "retrieve", wanted))


def _ask(host: OwnHost, call: str, body: dict[str, Any]) -> None:
    """Make a call, and wait for its end.

    Raises:
        httpx.HTTPStatusError, RuntimeError: it failed.
    """
    answer = host.target.http.post(f"servers/orthanc/{call}", json=body)
    if answer.status_code != 200:
        raise httpx.HTTPStatusError(answer.text[:500], request=answer.request, response=answer)
    if "ID" not in answer.json():
        return
    url = httpx.URL(str(host.target.http.base_url)).join(f"/jobs/{answer.json()['ID']}")
    while (state := host.target.http.get(url).json())["State"] in ("Pending", "Running"):
        time.sleep(0.05)
    if state["State"] != "Success":
        raise RuntimeError(state["ErrorDetails"])


def _timed(operation: Callable[[], None]) -> float:
    started = time.perf_counter()
    operation()
    return time.perf_counter() - started
