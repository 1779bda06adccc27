"""Who goes away stops the work that was done for them."""

import anyio
from starlette.types import Message

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.builders import a_series
from tests.transactions.test_store import store


def test_nothing_more_is_read_for_who_went_away(archive: Archive) -> None:
    store(archive, *a_series(60))
    read: list[str] = []
    archive.storage._client.meta.events.register_first("before-send.s3.GetObject", lambda **_: read.append(""))
    app = make_app(archive)
    sent: list[Message] = []
    gone = anyio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 4:
            gone.set()
            await anyio.sleep(3600)  # a connection that takes no more

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/dicom-web/studies/1.2.3",
        "raw_path": b"",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }

    async def serve() -> None:
        with anyio.fail_after(20):
            await app(scope, receive, send)

    anyio.run(serve)
    assert len(sent) == 4
    assert len(read) < 20
