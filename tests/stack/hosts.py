"""ASGI hosts of their own process on the archive of a local AWS."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import httpx

from local.stack import REGION, LocalAws, free_port


def variables(aws: LocalAws) -> dict[str, str]:
    """What leads a process to the archive."""
    return {**aws.variables(), **aws.outputs().variables()}


def client(url: str, service: Any) -> Any:
    """A client of a service of the local AWS at a URL."""
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


def wait_until_healthy(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError((process.communicate()[0] or b"it did not start").decode())


@contextmanager
def a_host(aws: LocalAws, *dies: object) -> Iterator[str]:
    """The URL of a host's Studies Service.

    Args:
        dies: at which of its writes, "before" or "after" it; never when left out.
    """
    with a_host_process(variables(aws), *dies) as (url, _):
        yield url


@contextmanager
def a_host_process(environment: Mapping[str, str], *dies: object) -> Iterator[tuple[str, int]]:
    """The same of the archive that an environment leads to, and the id of its process."""
    port = free_port()
    command = ["tests.stack.dying_host", str(port), *(map(str, dies or (0, "after")))]
    process = subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, **environment})
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}/dicom-web", process.pid
    finally:
        process.terminate()
        process.wait()
