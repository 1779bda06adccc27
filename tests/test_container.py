"""What the Dockerfile makes an image of is there, and is as little as it says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import dockerfile
from tests.builders import ROOT


def test_the_image_is_made_of_what_dockerignore_lets_through_and_of_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert let_through == set(dockerfile.copied())
    assert all((ROOT / source).exists() for source in let_through)


def test_what_is_installed_was_locked_with_everything_else() -> None:
    locked = (ROOT / "local/requirements/dev.txt").read_text().splitlines()
    versions = {re.split("[ ;]", line)[0] for line in locked}
    server = (ROOT / "container/requirements.txt").read_text().splitlines()
    assert {re.split("[ ;]", line)[0] for line in server} <= versions


def test_it_runs_as_a_numeric_user_who_is_not_root_and_writes_to_one_folder() -> None:
    (user,) = dockerfile.instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    (volume,) = json.loads(dockerfile.instructions("VOLUME")[0])
    assert dockerfile.environment()["TMPDIR"] == volume


def test_no_shell_is_between_docker_and_the_server() -> None:
    (health,) = dockerfile.instructions("HEALTHCHECK")
    assert json.loads(health[health.index("[") :])
    assert dockerfile.command()[0] == "python"


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if not hadolint:
        pytest.skip("no hadolint for this platform")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
