"""The samples, as somebody runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dicomweb.archive import Archive
from dicomweb.passwords import hash_password
from tests.builders import ROOT, a_series
from tests.conformance.conftest import serving
from tests.conformance.test_npm_client import _NEEDED, installed
from tests.jobs.fixtures import archive, remote
from tests.jobs.remote import Remote

__all__ = ["archive", "installed", "remote"]

SAMPLES = ROOT / "samples"
USER = "sam:ple"  # a name and a password


@pytest.fixture
def url(archive: Archive, remote: Remote) -> Iterator[str]:
    """A server that asks who somebody is, and knows a remote one."""
    closed = archive.settings.model_copy(
        update={"AuthenticationEnabled": True, "RegisteredUsers": {"sam": hash_password("ple")}}
    )
    with serving(Archive(archive.storage, archive.index, closed)) as url:
        answer = httpx.put(f"{url}/servers/there", json={"Url": remote.url}, auth=("sam", "ple"))
        assert answer.status_code == 200, answer.text
        yield url.removesuffix("/dicom-web")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for number, content in enumerate(a_series(3)):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    return [str(path) for path in sorted(tmp_path.glob("*.dcm"))]


def run(*command: object) -> str:
    environment = {**os.environ, "DICOMWEB_USER": USER}
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.py")))
def test_python_samples(url: str, remote: Remote, files: list[str], name: str) -> None:
    told = run(sys.executable, SAMPLES / name, url, "there", *files)
    assert "stored: 3" in told
    assert "found: Doe^Jane 3 instances" in told
    assert told.count("retrieved:") >= 3
    assert "sent: " in told
    assert len(remote.stored) == 3


@pytest.mark.skipif(bool(_NEEDED), reason="needs node and npm")
@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.mjs")))
def test_javascript_samples(url: str, remote: Remote, files: list[str], installed: Path, name: str) -> None:
    sample = installed / name  # beside the packages that it needs
    sample.write_text((SAMPLES / name).read_text())
    told = run("node", sample, url, "there", *files)
    assert "found: Doe^Jane" in told
    assert "retrieved: metadata of 3" in told
    assert "sent: " in told
    assert len(remote.stored) == 3
