"""Processes of their own on the archive of a local AWS: ASGI hosts, and the function of the queue."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import httpx

from local.stack import REGION, LocalAws
from tests.stack import dying

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.stack.dying"])  # imported once: what dies at every write starts often


def variables(aws: LocalAws) -> dict[str, str]:
    """What leads a process to the archive."""
    return {**aws.variables(), **aws.outputs().variables()}


def client(url: str, service: Any) -> Any:
    """A client of a service of the local AWS at a URL."""
    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


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
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = _PROCESSES.Process(target=dying.serve, args=({**os.environ, **environment}, listening, *dies))
        process.start()
    try:
        assert httpx.get(f"{url}/health", timeout=30).status_code == 200
        yield f"{url}/dicom-web", process.pid or 0
    finally:
        process.terminate()
        process.join()


def ingest_in_a_process(aws: LocalAws, event: dict[str, Any], *dies: object) -> bool:
    """Have the function of the queue work on an event; whether it did, and was not killed.

    Args:
        dies: at which of its writes, "before" or "after" it; never when left out.
    """
    process = _PROCESSES.Process(target=dying.ingest, args=(variables(aws), event, *dies))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0
