"""The real `sam local start-api`, its containers replaced by subprocesses, over the local AWS."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.stack import BUILT, LocalAws, build, free_port
from tests.builders import ROOT
from tests.stack import journey


@pytest.fixture(scope="module")
def sam_local(aws: LocalAws, user: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    build()
    folder = tmp_path_factory.mktemp("sam")
    outputs = aws.outputs()
    variables = folder / "variables.json"
    variables.write_text(
        json.dumps({"Parameters": {"DICOMWEB_BUCKET": outputs.bucket, "DICOMWEB_TABLE": outputs.table}})
    )
    port = free_port()
    auth = httpx.BasicAuth(*(part.encode() for part in user))
    command = [
        sys.executable,
        "-m",
        "local.sam",
        "local",
        "start-api",
        "--template",
        str(BUILT / "build/template.yaml"),
    ]
    command += ["--host", "127.0.0.1", "--port", str(port), "--env-vars", str(variables), "--region", "us-east-1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=_environment(aws), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait(f"http://127.0.0.1:{port}/wado", process, folder / "log")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=auth, timeout=60) as client:
            yield client
    finally:
        process.terminate()
        process.wait(20)


def test_store_search_retrieve_delete(sam_local: httpx.Client) -> None:
    journey.store_search_retrieve_delete(sam_local)


def test_an_answer_over_the_lambda_limit_goes_by_s3(sam_local: httpx.Client) -> None:
    journey.retrieve_what_is_over_the_lambda_limit(sam_local)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url, timeout=10)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"sam local start-api did not start:\n{log.read_text()[-3000:]}")


def _environment(aws: LocalAws) -> dict[str, str]:
    path = f"{ROOT / 'layers/dicomweb'}{os.pathsep}{ROOT}"
    return {**os.environ, **aws.variables(), "PYTHONPATH": path, "SAM_CLI_TELEMETRY": "0"}
