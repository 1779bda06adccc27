"""The ASGI host on a real socket of 127.0.0.1, over an archive on moto."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import uvicorn
from dicomweb_client import DICOMwebClient
from starlette.types import ASGIApp

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from local.stack import free_port


def serving(archive: Archive) -> AbstractContextManager[str]:
    """The URL of the Studies Service, as long as it is served."""
    return serving_app(make_app(archive))


@contextmanager
def serving_app(app: ASGIApp) -> Iterator[str]:
    """The URL of the Studies Service of an application, as long as it is served."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def server(archive: Archive) -> Iterator[str]:
    """The URL of the Studies Service."""
    with serving(archive) as url:
        yield url


@pytest.fixture
def user_agent(server: str) -> DICOMwebClient:
    return DICOMwebClient(server)
