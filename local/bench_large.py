"""`LARGE=5 make bench`: gigabytes through the host, made and thrown away as they pass; its memory must stay flat.

A study of 4 x 512 MB, and a multi-frame object of LARGE GB. The local S3 holds an object twice in memory while it is
put together: LARGE=5 needs a machine of 16 GB; and 20 GB of disk.
"""

from collections.abc import Callable, Iterable

import httpx
from rich.table import Table

from local.bench_files import MULTIPART, Ct, body_of, encapsulated_file, instance_path, native_file, study_uid
from local.bench_host import MB, OwnHost, resident_mb, while_watching
from local.bench_upload import forget, functions_mb, upload

# 4 x 512 MB; the frames of a CT have 512 KB.
_STUDY, _INSTANCES, _FRAMES = 800, 4, 1024
_LONG, _LONG_FRAMES = 801, 10_000
_USER = ("bench", "of the bench")
_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_ANY_FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def run(host: OwnHost, gigabytes: int) -> Table:
    """Store and retrieve both; the table says what it took."""
    frame_bytes = gigabytes * 1024 * MB // _LONG_FRAMES // 2 * 2
    http, ct = host.target.http, Ct()
    table = Table("operation", "s", "MB/s", "AWS calls", "CPU s", "resident MB: before", "peak", "after")

    def note(name: str, operation: Callable[[], int]) -> None:
        before, calls, cpu_s = resident_mb(host.pid), host.target.calls(), host.target.cpu_s()
        size, seconds, peak = while_watching(host.pid, operation)
        memory = [f"{mb:.0f}" for mb in (before, peak, resident_mb(host.pid))]
        cpu = f"{host.target.cpu_s() - cpu_s:.1f}"
        row = [name, f"{seconds:.1f}", f"{size / MB / seconds:.0f}", str(host.target.calls() - calls), cpu, *memory]
        table.add_row(*row)
        print(*row, sep=" · ", flush=True)

    def store(*files: Iterable[bytes]) -> int:
        sent = [0]

        def counted() -> Iterable[bytes]:
            for chunk in body_of(files):
                sent[0] += len(chunk)
                yield chunk

        http.post("studies", content=counted(), headers=MULTIPART).raise_for_status()
        return sent[0]

    study = f"studies/{study_uid(_STUDY)}"
    note("store 4 x 512 MB", lambda: store(*(native_file(ct, _STUDY, n, _FRAMES) for n in range(1, _INSTANCES + 1))))
    note("retrieve 4 x 512 MB", lambda: _get(http, study, _STORED))
    redirected = [""]

    host.aws.let_in(*_USER)

    def by_lambda() -> int:
        url = f"{host.aws.outputs().api}/dicom-web/{study}"
        answer = httpx.get(url, headers={"Accept": _STORED}, auth=_USER, timeout=600)
        if answer.status_code != 307:
            raise httpx.HTTPStatusError(answer.text[:500], request=answer.request, response=answer)
        redirected[0] = answer.headers["location"]
        return _INSTANCES * _FRAMES * 512 * 1024

    note("the same by Lambda, until its 307", by_lambda)
    note("what it redirects to, from S3", lambda: _get(http, redirected[0], "*/*"))
    note("ZIP of 4 x 512 MB", lambda: _get(http, study, "application/zip"))
    note(f"store {gigabytes} GB, 10,000 frames", lambda: store(encapsulated_file(_LONG, 1, _LONG_FRAMES, frame_bytes)))
    note("frame 7,000 of it", lambda: _get(http, f"{instance_path(_LONG)}/frames/7000", _ANY_FRAME))
    note(f"retrieve {gigabytes} GB", lambda: _get(http, instance_path(_LONG), _STORED))
    functions = functions_mb()
    note("upload 2 GB, a third of the parts fail", lambda: upload(str(http.base_url)))
    print(f"the largest function: {functions:.0f} MB before, {functions_mb():.0f} after", flush=True)
    forget(http)
    note("delete both", lambda: http.delete(study).status_code + http.delete(instance_path(_LONG)).status_code)
    return table


def _get(http: httpx.Client, path: str, accept: str) -> int:
    with http.stream("GET", path, headers={"Accept": accept}) as answer:
        answer.raise_for_status()
        return sum(len(chunk) for chunk in answer.iter_raw(MB))
