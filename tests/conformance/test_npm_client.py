"""The npm package dicomweb-client, on which viewers in browsers are built, over a real socket."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.builders import ROOT, a_data_set, a_file, a_series

_SCRIPTS = Path(__file__).parent / "npm"
_INSTALLED = ROOT / ".cache" / "npm-client"  # ignored by git
_NEEDED = [name for name in ("node", "npm") if shutil.which(name) is None]

pytestmark = pytest.mark.skipif(bool(_NEEDED), reason=f"{' and '.join(_NEEDED)} not on this machine")

PIXELS = bytes(range(64))


@pytest.fixture(scope="session")
def installed() -> Path:
    """The folder with the script and its packages, installed once for a lock file."""
    _INSTALLED.mkdir(parents=True, exist_ok=True)
    with (_INSTALLED / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark, wanted = _INSTALLED / "installed", (_SCRIPTS / "package-lock.json").read_text()
        if not mark.exists() or mark.read_text() != wanted:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(_SCRIPTS / name, _INSTALLED)
            subprocess.run(["npm", "ci", "--omit=optional"], cwd=_INSTALLED, check=True, timeout=300)
            mark.write_text(wanted)
        shutil.copy(_SCRIPTS / "drive.js", _INSTALLED)
    return _INSTALLED


@pytest.fixture
def answers(server: str, installed: Path, tmp_path: Path) -> dict[str, Any]:
    """What the client got of a study of two instances, the first with two frames."""
    for number, file in enumerate(files()):
        (tmp_path / f"{number}.dcm").write_bytes(file)
    command = ["node", "drive.js", server, *map(str, sorted(tmp_path.glob("*.dcm")))]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def files() -> list[bytes]:
    return [a_file(a_data_set(NumberOfFrames=2, InstanceNumber=1, PixelData=PIXELS)), a_series(2)[1]]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_it_stores_searches_and_retrieves(answers: dict[str, Any]) -> None:
    wanted = [digest(file) for file in files()]
    assert answers["stored"] == 2
    assert answers["counts"] == [2, 2, 2, 1]
    assert answers["study"] == answers["series"] == wanted
    assert answers["instance"] == wanted[0]
    assert answers["metadata"]["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    assert answers["frames"] == [digest(PIXELS[:32]), digest(PIXELS[32:])]
    assert answers["frameAsStored"] == answers["frames"][1:]
    assert answers["frameTypes"] == [["application/octet-stream", "1.2.840.10008.1.2.1"]] * 2
    assert answers["bulkData"] == answers["bulkDataAlone"] == [digest(PIXELS)]
    assert answers["missing"] == 404


def test_its_lock_file_names_no_host() -> None:
    packages = json.loads((_SCRIPTS / "package-lock.json").read_text())["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package["integrity"] for name, package in packages.items() if name)
