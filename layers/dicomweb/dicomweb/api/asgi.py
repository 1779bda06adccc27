"""The ASGI host: every router in one process, bodies of any size streamed both ways. Served by uvicorn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

from dicomweb.api.app import create_app
from dicomweb.api.capabilities import ROUTERS
from dicomweb.archive import Archive

_THREADS = 64  # requests at work at once, beside the stores


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def make_app(archive: Archive | None = None) -> FastAPI:
    """The application that `uvicorn --factory dicomweb.api.asgi:make_app` serves."""
    app = create_app(*ROUTERS, archive=archive, lifespan=_lifespan)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
