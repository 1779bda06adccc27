"""What is sent with every request, and where it does not go."""

from typing import Any

import pytest

from cli.errors import Refused
from cli.service import StudiesService
from tests.cli.fake_server import quick_client, serving_asgi

SECRETS = {"headers": ["X-Api-Key: secret"], "user": "jane:pass:word"}


class Recorder:
    """Answers with a status, body and headers, and keeps the headers that it gets."""

    def __init__(self, status: int = 200, body: bytes = b"[]", headers: dict[str, str] | None = None) -> None:
        self._answer = status, body, [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self.received: list[dict[str, str]] = []

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        self.received.append({name.decode(): value.decode() for name, value in scope["headers"]})
        status, body, headers = self._answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def search(url: str, **options: Any) -> list[Any]:
    service = StudiesService(url, **options)
    try:
        return list(service.search("studies", []))
    finally:
        service.close()


def test_headers_and_user_go_with_every_request() -> None:
    server = Recorder()
    with serving_asgi(server) as url:
        search(url, **SECRETS)
    (headers,) = server.received
    assert headers["x-api-key"] == "secret"
    assert headers["authorization"] == "Basic amFuZTpwYXNzOndvcmQ="


def test_a_redirect_to_another_host_takes_no_secrets_along() -> None:
    # A large answer of a Lambda function is a redirect to S3, which refuses an Authorization beside a presigned URL.
    elsewhere = Recorder()
    with serving_asgi(elsewhere) as other:
        server = Recorder(307, b"", {"location": f"{other}/object?signature=x"})
        with serving_asgi(server) as url:
            search(url, **SECRETS)
    (headers,) = elsewhere.received
    assert not {"x-api-key", "authorization"} & headers.keys()


def test_secrets_are_in_no_message() -> None:
    with serving_asgi(Recorder(400, b"no")) as url, pytest.raises(Refused) as caught:
        search(url.replace("//", "//jane:hidden@"), headers=["X-Api-Key: secret"])
    assert "400 Bad Request: no" in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]"])
def test_an_answer_that_is_no_search_result_says_what_was_expected(body: bytes) -> None:
    with serving_asgi(Recorder(200, body)) as url, pytest.raises(Refused, match="expected the URL"):
        search(url)


def test_a_server_that_ignores_offset_does_not_keep_a_search_for_ever() -> None:
    row = b'{"0020000D": {"vr": "UI", "Value": ["1"]}}'
    server = Recorder(200, b"[" + row + b"]", {"Warning": '299 x "There are 5 additional results"'})
    with serving_asgi(server) as url, pytest.raises(Refused, match="same page for every offset"):
        search(url)


def test_no_content_is_no_result() -> None:
    with serving_asgi(Recorder(204, b"")) as url, quick_client(url) as service:
        assert list(service.search("studies", [])) == []
