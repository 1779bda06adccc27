"""One large selection, which Orthanc sends in one chunked request and fetches again: our host's memory stays flat.

ORTHANC_LARGE_MB=1000 makes it a gigabyte.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.bench_host import while_watching
from local.stack import local_aws
from tests.builders import a_file, an_archive
from tests.peers.orthanc import Orthanc, an_orthanc
from tests.stack.hosts import a_host_process

MB = 1024 * 1024
LARGE_MB = int(os.environ.get("ORTHANC_LARGE_MB", "200"))
FRAME_BYTES, LONG_FRAMES = 512 * 1024, 40
MOST_MB = 180  # of the host, which has 95 when it is idle


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int, Path]]:
    """The URL of a host in a process of its own, that process, and a folder; pytest would keep its gigabytes."""
    with tempfile.TemporaryDirectory() as name, local_aws(Path(name) / "aws") as aws:
        for variable, value in aws.variables().items():
            monkeypatch.setenv(variable, value)
        an_archive()
        with a_host_process({"DICOMWEB_BUCKET": "archive", "DICOMWEB_TABLE": "index"}) as (url, pid):
            yield url, pid, Path(name)


def files() -> Iterator[bytes]:
    """CT images of one study, two thirds of all, and objects of 20 MB of another."""
    for number in range(LARGE_MB * MB * 2 // 3 // FRAME_BYTES):
        yield a_large_file("1.2.1", number, 1)
    for number in range(LARGE_MB * MB // 3 // FRAME_BYTES // LONG_FRAMES):
        yield a_large_file("1.2.2", number, LONG_FRAMES)


def a_large_file(study: str, number: int, frames: int) -> bytes:
    return a_file(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.1",
        SOPInstanceUID=f"{study}.1.{number}",
        Rows=512,
        Columns=512,
        NumberOfFrames=frames,
        PixelData=number.to_bytes(2, "little") * (frames * FRAME_BYTES // 2),
    )


def ask(orthanc: Orthanc, action: str, count: str, **body: object) -> int:
    """How many instances it sent or received."""
    answer = orthanc.ask("ours", action, **body)
    assert answer.status_code == 200, orthanc.log()[-2000:]
    return int(answer.json()[count])


def test_much_goes_there_and_back_in_flat_memory(host: tuple[str, int, Path]) -> None:
    url, pid, folder = host
    with an_orthanc(folder / "orthanc", {"ours": {"Url": url, "Timeout": 1200}}) as orthanc:
        wanted, selection = {}, []
        for file in files():
            selection.append(orthanc.store(file))
            wanted[selection[-1]] = hashlib.sha256(file).hexdigest()

        sent, _, stow_mb = while_watching(pid, lambda: ask(orthanc, "stow", "InstancesCount", Resources=selection))
        rows = httpx.get(f"{url}/studies", timeout=60).json()
        assert sent == len(wanted) == sum(row["00201208"]["Value"][0] for row in rows)

        orthanc.delete_all()
        studies = [{"Study": row["0020000D"]["Value"][0]} for row in rows]
        received, _, retrieve_mb = while_watching(
            pid, lambda: ask(orthanc, "retrieve", "ReceivedInstancesCount", Resources=studies)
        )
        assert received == len(wanted)
        found = {
            each: hashlib.sha256(orthanc.http.get(f"/instances/{each}/file").content).hexdigest()
            for each in orthanc.instances().values()
        }
        assert found == wanted
        assert max(stow_mb, retrieve_mb) < MOST_MB
