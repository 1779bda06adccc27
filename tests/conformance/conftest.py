"""The ASGI host on a real socket of 127.0.0.1, over an archive on moto."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from dicomweb_client import DICOMwebClient

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from local.stack import free_port


@pytest.fixture
def server(archive: Archive) -> Iterator[str]:
    """The URL of the Studies Service."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(make_app(archive), host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/dicom-web"
    server.should_exit = True
    thread.join()


@pytest.fixture
def user_agent(server: str) -> DICOMwebClient:
    return DICOMwebClient(server)
