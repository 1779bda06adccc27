"""The ASGI host: every router in one process, bodies of any size streamed both ways. Served by uvicorn."""

from fastapi import FastAPI

from dicomweb.api import delete, retrieve, search, store, wado_uri
from dicomweb.api.app import create_app
from dicomweb.archive import Archive

ROUTERS = (search.router, retrieve.router, store.router, delete.router, wado_uri.router)


def make_app(archive: Archive | None = None) -> FastAPI:
    """The application that `uvicorn --factory dicomweb.api.asgi:make_app` serves."""
    app = create_app(*ROUTERS, archive=archive)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
