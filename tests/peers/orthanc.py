"""A real Orthanc with its DICOMweb plugin, from Debian's packages, on a free port of 127.0.0.1.

    with an_orthanc(tmp_path, servers={"ours": {"Url": url}}) as orthanc:
        instance = orthanc.store(a_file())
        orthanc.http.post("/dicom-web/servers/ours/stow", json={"Resources": [instance]})

It is kept in `.cache/orthanc`, or where ORTHANC_FOLDER says; ORTHANC_RELEASE names another release of Debian (trixie: 1.12.7
with DICOMweb 1.20, bookworm: 1.10.1 with 1.7). Where it cannot be had tests are skipped, or fail if ORTHANC_REQUIRED is set.
"""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.stack import free_port
from tests.builders import ROOT
from tests.peers.debian_packages import Unavailable, command, unpack

_FOLDER = ROOT / ".cache" / "orthanc"  # ignored by git
_PACKAGES = ("orthanc", "orthanc-dicomweb")
_RELEASES = ("sid", "trixie", "bookworm")  # the first one that can be had
_LISTENING_EVERYWHERE = ("trixie", "bookworm")  # older than the option HttpBindAddresses
_START_S, _JOB_S = 30, 300


@dataclass(frozen=True)
class Orthanc:
    """One that runs.

    Attributes:
        url: of its REST API; DICOMweb is at /dicom-web below it.
        http: a client of it, as its user.
        data: the folder of what it has stored, and of its log.
    """

    url: str
    http: httpx.Client
    data: Path

    def store(self, content: bytes) -> str:
        """Give it a DICOM file, past DICOMweb; its identifier of the instance."""
        answer = self.http.post("/instances", content=content)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ID"])

    def instances(self) -> dict[str, str]:
        """Its identifier of each instance, by SOPInstanceUID."""
        found = self._json("/instances?expand")
        return {each["MainDicomTags"]["SOPInstanceUID"]: each["ID"] for each in found}

    def files(self) -> dict[str, bytes]:
        """The bytes it has of each instance, by SOPInstanceUID."""
        return {uid: self.http.get(f"/instances/{each}/file").content for uid, each in self.instances().items()}

    def delete_all(self) -> None:
        """Forget every patient."""
        for each in self._json("/patients"):
            assert self.http.delete(f"/patients/{each}").status_code == 200

    def ask(self, server: str, action: str, **body: Any) -> httpx.Response:
        """Let it ask one of its servers: qido, get, wado, retrieve, stow, delete."""
        return self.http.post(f"/dicom-web/servers/{server}/{action}", json=body)

    def job(self, started: httpx.Response) -> dict[str, Any]:
        """The job of an asynchronous answer, once it has ended."""
        assert started.status_code == 200, started.text
        deadline = time.monotonic() + _JOB_S
        while time.monotonic() < deadline:
            job: dict[str, Any] = self._json(f"/jobs/{started.json()['ID']}")
            if job["State"] in ("Success", "Failure"):
                return job
            time.sleep(0.1)
        raise AssertionError(job)

    def log(self) -> str:
        return (self.data / "log").read_text(errors="replace")

    def _json(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def an_orthanc(
    data: Path,
    servers: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    user: tuple[str, str] | None = None,
    dicom_web: Mapping[str, Any] | None = None,
    **options: Any,
) -> Iterator[Orthanc]:
    """An Orthanc that is gone afterwards; the test is skipped where there is none.

    Args:
        data: a folder for all that it keeps.
        servers: the DICOMweb servers that it knows, by name, as its option `DicomWeb.Servers` has them.
        user: name and password, which it then asks for.
        dicom_web: more options of its section DicomWeb.
        options: more options of its configuration.
    """
    folder = _installed()
    data.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (plugin,) = folder.glob("usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    configuration = {
        "Name": "peer",
        "Locale": "C.UTF-8",
        "StorageDirectory": str(data),
        "IndexDirectory": str(data),
        "Plugins": [str(plugin)],
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": user is not None,
        "RegisteredUsers": dict([user]) if user else {},
        "DicomWeb": {"Servers": servers or {}, **(dicom_web or {})},
        **options,
    }
    (data / "orthanc.json").write_text(json.dumps(configuration))
    (dictionary,) = folder.glob("usr/share/*dcmtk*/dicom.dic")
    with (data / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command(folder, "usr/sbin/Orthanc", also=folder.glob("loopback.so")), str(data / "orthanc.json")],
            env={"DCMDICTPATH": str(dictionary), "LOCPATH": str(folder / "usr/lib/locale")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, auth=user, timeout=_JOB_S) as http:
            orthanc = Orthanc(url, http, data)
            _wait(orthanc, process)
            yield orthanc
    finally:
        process.kill()  # it takes seconds to end by itself, and nobody needs its data any more
        process.wait()


def _wait(orthanc: Orthanc, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            orthanc.http.get("/system").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"Orthanc did not start: {orthanc.log()}")


def _installed() -> Path:
    """The folder of its programs."""
    found = _found()
    if isinstance(found, Path):
        return found
    if os.environ.get("ORTHANC_REQUIRED"):
        pytest.fail(found)
    pytest.skip(found)


@cache
def _found() -> Path | str:
    """The folder, or why there is none; unpacked once, though two test processes may ask at the same time."""
    folder = Path(os.environ.get("ORTHANC_FOLDER") or _FOLDER).absolute()
    wanted = os.environ.get("ORTHANC_RELEASE")
    reasons = []
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for release in [wanted] if wanted else _RELEASES:
            try:
                _unpack_once(folder / release, release)
            except Unavailable as error:
                reasons.append(f"{release}: {error}")
            else:
                return folder / release
    return f"no Orthanc on this machine: {'; '.join(reasons)}"


def _unpack_once(folder: Path, release: str) -> None:
    mark = folder / "complete"
    if mark.exists():
        return
    unpack(folder, release, _PACKAGES)
    if release in _LISTENING_EVERYWHERE:
        _compile_loopback(folder / "loopback.so")
    mark.touch()


def _compile_loopback(library: Path) -> None:
    """What keeps it on 127.0.0.1. Linked without the C library, since it is loaded with another one than ours."""
    source = Path(__file__).parent / "loopback.c"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", "-o", library, source], check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"it would listen on every address, and cc cannot mend that: {error}") from error
