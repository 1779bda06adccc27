"""Two gigabytes by an upload session: a third of the parts fail, and the client is started again half-way."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from cli.progress import bytes_bar
from cli.retries import Retries
from cli.service import StudiesService
from cli.sources import Identified, Source
from cli.uploads import Uploads
from local.bench_files import Ct, native_file, study_uid
from local.bench_host import MB, resident_mb

_STUDY, _FRAMES = 802, 4096  # frames of 512 KB: 2 GB


class _Restarted(Exception):
    """The client is gone."""


class _Flaky(StudiesService):
    """A service on whose way to the bucket every third part is cut; after so many parts the client is gone."""

    def __init__(self, url: str, most_parts: int) -> None:
        super().__init__(url, retries=Retries(first_s=0.05))
        self.tries, self._most_parts = 0, most_parts

    def put(self, url: str, content: Iterator[bytes], size: int) -> httpx.Response:
        self.tries += 1
        if self.tries > self._most_parts:
            raise _Restarted
        if self.tries % 3 == 0:
            next(content)
            raise httpx.WriteError("the connection was cut")
        return super().put(url, content, size)


def upload(url: str) -> int:
    """Upload and store; how many bytes."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # where the command remembers what it began
        path = Path(folder) / "large.dcm"
        with path.open("wb") as file:
            file.writelines(native_file(Ct(), _STUDY, 1, _FRAMES))
        size = path.stat().st_size
        large = Identified(Source(str(path), size))
        parts = -(-size // (16 * MB))
        for most_parts in (parts // 2, 3 * parts):
            service = _Flaky(url, most_parts)
            try:
                with bytes_bar("Uploading", size) as bar:
                    answer = Uploads(service, bar).send(large)
            except _Restarted:
                continue
            finally:
                service.close()
    if len(answer["00081199"]["Value"]) != 1:
        raise ValueError(f"not stored: {answer}")
    return size


def forget(http: httpx.Client) -> None:
    """Remove it."""
    http.delete(f"studies/{study_uid(_STUDY)}").raise_for_status()


def functions_mb() -> float:
    """Resident megabytes of the largest function of the local AWS."""
    found = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _is_function(path)]
    return max((resident_mb(int(pid)) for pid in found), default=0)


def _is_function(path: Path) -> bool:
    try:
        return b"awslambdaric" in path.read_bytes()
    except OSError:  # it has ended
        return False
