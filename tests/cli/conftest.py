"""The commands as they are typed, and a server of ours on a real socket."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.app import app
from cli.errors import CommandFault
from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.cli.fake_server import serving_asgi


@dataclass(frozen=True)
class Output:
    """Attributes: text: standard output and error together; said: standard error alone."""

    exit_code: int
    text: str
    said: str


Command = Callable[..., Output]


class OneAtATime:
    """Requests of an application one after the other: a transaction of moto loses what others write meanwhile."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self._lock:
            await self._app(scope, receive, send)


@contextmanager
def serving_archive(archive: Archive) -> Iterator[str]:
    """The URL of the Studies Service, as long as it is served."""
    with serving_asgi(OneAtATime(make_app(archive))) as url:
        yield f"{url}/dicom-web"


@pytest.fixture
def server(archive: Archive) -> Iterator[str]:
    """The URL of the Studies Service."""
    with serving_archive(archive) as url:
        yield url


@pytest.fixture
def dicomweb(server: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command against the server."""
    monkeypatch.setenv("DICOMWEB_URL", server)
    return run


def run(*arguments: object) -> Output:
    """Run a command in this process, as `main` does."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, CommandFault):
        return Output(2, result.output + str(result.exception), str(result.exception))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Output(result.exit_code, result.output, result.stderr)
