from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError

from dicomweb.archive import Archive
from dicomweb.errors import NotFound

KEY = "studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1.dcm"


def test_bytes_come_whole_and_by_ranges(archive: Archive) -> None:
    storage = archive.storage
    storage.write(KEY, b"0123456789")
    assert storage.read_bytes(KEY) == b"0123456789"
    assert storage.read_range(KEY, 2, 3) == b"234"
    assert b"".join(storage.open(KEY)) == b"0123456789"
    assert b"".join(storage.open(KEY, 7)) == b"789"
    assert b"".join(storage.open(KEY, 1, 2)) == b"12"


def test_a_key_of_any_characters_is_read(archive: Archive) -> None:
    archive.storage.write("a b/ü+?&=%.x", b"1")
    assert archive.storage.read_bytes("a b/ü+?&=%.x") == b"1"


def test_what_is_not_there_is_said_at_once(archive: Archive) -> None:
    for read in (archive.storage.read_bytes, archive.storage.open, lambda key: archive.storage.read_range(key, 0, 1)):
        with pytest.raises(NotFound):
            read(KEY)


def test_a_request_is_signed_and_goes_to_the_address_of_the_bucket(archive: Archive) -> None:
    archive.storage.write(KEY, b"1")
    sent: list[Any] = []
    archive.storage._client.meta.events.register_first("before-send", lambda request, **_: sent.append(request))
    archive.storage.read_range(KEY, 0, 1)
    (request,) = sent
    assert request.url == f"https://archive.s3.amazonaws.com/{KEY}"
    assert request.headers["Range"] == "bytes=0-0"
    assert "/s3/aws4_request, SignedHeaders=host;range;" in request.headers["Authorization"]


@pytest.mark.parametrize("fault", [503, 500, 403, EndpointConnectionError(endpoint_url="x")])
def test_what_fails_once_is_asked_for_again_by_the_client(archive: Archive, fault: int | Exception) -> None:
    archive.storage.write(KEY, b"1")
    times = [0]

    def fail_first(request: Any, **_: object) -> AWSResponse | None:
        times[0] += 1
        if times[0] > 1:
            return None
        if isinstance(fault, Exception):
            raise fault
        return AWSResponse(request.url, fault, HTTPHeaders(), _Nothing())

    events: Any = archive.storage._client.meta.events
    events.register_first("before-send.s3.GetObject", fail_first)
    assert archive.storage.read_bytes(KEY) == b"1"
    assert times[0] == 2


class _Nothing:
    def stream(self) -> list[bytes]:
        return []
