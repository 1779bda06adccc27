"""Fixtures for all tests: an archive on moto, and the application over it."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from dicomweb.api.asgi import make_app
from dicomweb.archive import Archive
from tests.builders import an_archive


@pytest.fixture(autouse=True)
def no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "DICOMWEB_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def archive() -> Iterator[Archive]:
    with mock_aws():
        yield an_archive()


@pytest.fixture
def client(archive: Archive) -> TestClient:
    """All routers, as the ASGI host serves them; an unexpected error is the 500 that a user agent would see."""
    return TestClient(make_app(archive), raise_server_exceptions=False)
