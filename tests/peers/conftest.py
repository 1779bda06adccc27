"""Our ASGI host on a real socket, and an Orthanc that knows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from moto import mock_aws
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.conformance.conftest import serving_app
from tests.peers.misbehaving import Misbehaving, misbehaving
from tests.peers.orthanc import Orthanc, an_orthanc
from tests.peers.ourselves import Peer, one_peer, two_peers


@dataclass(frozen=True)
class Request:
    """What arrived of a request."""

    method: str
    path: str
    headers: Headers


class Recorded:
    """An application, and the requests that it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests: list[Request] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests.append(Request(scope["method"], scope["path"], Headers(scope=scope)))
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Ours:
    """Our host.

    Attributes:
        url: of its Studies Service.
        requests: those that came.
    """

    url: str
    requests: list[Request]

    def last(self, method: str) -> Request:
        return [request for request in self.requests if request.method == method][-1]


@pytest.fixture
def ours(archive: Archive) -> Iterator[Ours]:
    app = Recorded(make_app(archive))
    with serving_app(app) as url:
        yield Ours(url, app.requests)


@pytest.fixture
def orthanc(ours: Ours, tmp_path: Path) -> Iterator[Orthanc]:
    """It knows our host by four names, each with other properties."""
    servers = {
        "ours": {"Url": ours.url, "HasDelete": True},
        "sized": {"Url": ours.url, "ChunkedTransfers": False},
        "any-syntax": {"Url": ours.url, "HasWadoRsUniversalTransferSyntax": True},
        "no-syntax": {"Url": ours.url, "HasWadoRsUniversalTransferSyntax": False},
    }
    with an_orthanc(tmp_path / "orthanc", servers) as orthanc:
        yield orthanc


@pytest.fixture
def peers() -> Iterator[tuple[Peer, Peer]]:
    """Two servers of this project, each the other's remote server."""
    with two_peers() as both:
        yield both


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server of this project."""
    with mock_aws(), one_peer() as peer:
        yield peer


@pytest.fixture
def remote(peer: Peer) -> Iterator[Misbehaving]:
    """What that server knows as `other`."""
    with misbehaving() as remote:
        peer.define("other", remote.url, Username="bob", Password="hunter2", Timeout=1, HasDelete=True)
        yield remote
