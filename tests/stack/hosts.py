"""ASGI hosts of their own process on the archive of a local AWS."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from local.stack import LocalAws, free_port


def variables(aws: LocalAws) -> dict[str, str]:
    """What leads a process to the archive."""
    outputs = aws.outputs()
    return {**aws.variables(), "DICOMWEB_BUCKET": outputs.bucket, "DICOMWEB_TABLE": outputs.table}


@contextmanager
def a_host(aws: LocalAws, *dies: object) -> Iterator[str]:
    """The URL of a host's Studies Service.

    Args:
        dies: at which of its writes, "before" or "after" it; never when left out.
    """
    port = free_port()
    command = ["tests.stack.dying_host", str(port), *(map(str, dies or (0, "after")))]
    process = subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, **variables(aws)})
    try:
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline
            try:
                httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait()
