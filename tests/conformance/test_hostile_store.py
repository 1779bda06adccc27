"""Stores made to harm, over a socket: bounded time and memory, each refused with its reason, the rest stored."""

import gzip
import io
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from dicomweb.api import store
from dicomweb.dicom.uids import DEFLATED_LITTLE
from tests.builders import BOUNDARY, MULTIPART, a_body, a_data_set, a_file
from tests.conformance.test_hostile_retrieve import http

__all__ = ["http"]

GB = 1024**3
MOST_MB = 350  # a deflated file may become 128 MB, and is held twice
UNDEFINED = 0xFFFFFFFF
PIXELS = struct.pack("<HH", 0x7FE0, 0x0010)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """However large what comes says it is, it takes little time and memory; the host is in this process."""
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak counts anew, see proc(5)
    before, started = memory_mb("VmRSS"), time.monotonic()
    yield
    assert time.monotonic() - started < 45
    assert memory_mb("VmHWM") - before < MOST_MB


def memory_mb(name: str) -> float:
    return int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0]) / 1024


def good(number: int) -> bytes:
    return a_file(SOPInstanceUID=f"1.2.3.1.{number}")


def ending(tail: bytes) -> bytes:
    """A file whose data set ends in these bytes in place of its pixels."""
    whole = a_file(SOPInstanceUID="1.2.3.1.666")
    return whole[: whole.index(PIXELS)] + tail


def element(group: int, number: int, vr: bytes, length: int) -> bytes:
    """The start of an element with a long length."""
    return struct.pack("<HH2sHI", group, number, vr, 0, length)


def nested(depth: int, length: int) -> bytes:
    """Sequences in items of sequences."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, length)
    return (element(0x0040, 0xA730, b"SQ", length) + item) * depth


def deflated(size: int) -> bytes:
    """A deflated file that becomes so many bytes more."""
    plain = a_file(SOPInstanceUID="1.2.3.1.666", transfer_syntax="1.2.840.10008.1.2.1")
    start = plain.index(struct.pack("<HH", 0x0008, 0x0016))
    meta = a_file(SOPInstanceUID="1.2.3.1.666", transfer_syntax=DEFLATED_LITTLE)
    meta = meta[: 144 + struct.unpack("<I", meta[140:144])[0]]
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = deflate.compress(plain[start : plain.index(PIXELS)] + element(0x0009, 0x1001, b"OB", size))
    zeros = bytes(1024 * 1024)
    return meta + content + b"".join(deflate.compress(zeros) for _ in range(size // len(zeros))) + deflate.flush()


def with_uid(uid: str, keyword: str = "SOPInstanceUID") -> bytes:
    """A file with a UID that is none."""
    whole = a_file(**{keyword: "1.2.9999999999999999999"})
    written = uid.encode().ljust(len("1.2.9999999999999999999") + 1, b"\0")
    old = b"1.2.9999999999999999999\0"
    if len(written) == len(old):
        return whole.replace(old, written)
    # Explicit lengths of two bytes stand in front of each.
    longer = written + b"\0" * (len(written) % 2)
    return whole.replace(struct.pack("<H", len(old)) + old, struct.pack("<H", len(longer)) + longer)


HOSTILE = {
    "0 bytes": b"",
    "no DICOM": b"#!/bin/sh\nrm -rf /\n" * 100,
    "a preamble alone": bytes(128) + b"DICM",
    "group length of 4 GB": bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, UNDEFINED - 1),
    "10,000 sequences deep": ending(nested(10_000, UNDEFINED)),
    "10,000 sequences deep, with lengths": ending(nested(10_000, 2_000_000_000)),
    "a sequence without an end": ending(nested(1, UNDEFINED)),
    "pixels without an end": ending(element(0x7FE0, 0x0010, b"OB", UNDEFINED)),
    "pixels of 4 GB that are not there": ending(element(0x7FE0, 0x0010, b"OW", UNDEFINED - 1)),
    "an element cut in its head": ending(b"\x09\x00\x01"),
    "a deflated bomb": deflated(GB),
    "UID with a slash": with_uid("1.2/../../etc/passwd"),
    "UID of dots": with_uid(".."),
    "UID of nothing": with_uid(""),
    "UID of 65 characters": with_uid("1." + "2" * 63),
    "study UID with a slash": with_uid("1.2/3", "StudyInstanceUID"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_one_is_refused_with_its_reason_and_the_others_are_stored(http: httpx.Client, name: str) -> None:
    body = a_body([good(1), HOSTILE[name], good(2)])
    answer = http.post("/studies", content=body, headers={"Content-Type": MULTIPART})
    assert answer.status_code == 202, answer.text
    (failed,) = [item for tag in ("00081198", "0008119A") for item in answer.json().get(tag, {}).get("Value", ())]
    assert failed["00081197"]["Value"][0] in (0xA700, 0xA900, 0xC000, 0x0110, 0x0122)
    assert len(failed["00000902"]["Value"][0]) > 20, failed
    assert uids(http) == ["1.2.3.1.1", "1.2.3.1.2"]


def uids(http: httpx.Client) -> list[str]:
    return sorted(row["00080018"]["Value"][0] for row in http.get("/studies/1.2.3/instances").json())


def test_a_gzipped_bomb_is_refused(http: httpx.Client) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(a_body([good(1)])[:-10])
        for _ in range(512):  # MB; packing them counts as well
            file.write(bytes(1024 * 1024))
    headers = {"Content-Type": MULTIPART, "Content-Encoding": "gzip"}
    answer = http.post("/studies", content=packed.getvalue(), headers=headers)
    assert 400 <= answer.status_code < 500, answer.text
    assert "gzip" in answer.text or "inflate" in answer.text or "00000902" in answer.text


@contextmanager
def claiming_a_gigabyte(http: httpx.Client, sent: bytes) -> Iterator[socket.socket]:
    """A connection on which a store has begun."""
    place = urlsplit(str(http.base_url))
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: {MULTIPART}\r\n"
        f"Content-Length: {GB}\r\n\r\n"
    )
    with socket.create_connection((str(place.hostname), place.port or 80), timeout=20) as connection:
        connection.sendall(head.encode() + sent)
        yield connection


@pytest.mark.parametrize(
    ("every_s", "says"), [(None, "the body stalled for 1 s"), (0.2, "the body came too slowly")], ids=["none", "some"]
)
def test_a_body_that_stalls_is_given_up_and_what_came_is_stored(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, every_s: float | None, says: str
) -> None:
    monkeypatch.setattr(store, "_STALLED_S", 1)
    monkeypatch.setattr(store, "_SLOWEST", 100_000)
    body = a_body([good(1), good(2)])
    with claiming_a_gigabyte(http, body[:-100]) as connection:
        connection.settimeout(every_s or 20)
        answer, deadline = b"", time.monotonic() + 20
        while b"0008119A" not in answer and time.monotonic() < deadline:
            try:
                answer += connection.recv(64 * 1024)
            except TimeoutError:
                connection.sendall(b"x")
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert says in answer.decode()
    assert uids(http) == ["1.2.3.1.1"]


@pytest.mark.parametrize("sent", [b"0123456789", a_body([good(1)])[:-20]], ids=["ten bytes", "one part, no end"])
def test_a_gigabyte_that_is_claimed_and_not_sent_is_waited_for_by_nobody(http: httpx.Client, sent: bytes) -> None:
    with claiming_a_gigabyte(http, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # closed, or an answer
    assert http.get("/studies").status_code == 200


BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><NativeDicomModel>&j;</NativeDicomModel>"
)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/dicom+json", b"[" * 100_000),
        ("application/dicom+json", b'[{"00081115":{"vr":"SQ","Value":' * 10_000),
        ("application/dicom+json", b'[{"00100010":{"vr":"PN","Value":[{"Alphabetic":"' + b"x" * 50_000_000),
        ("application/dicom+xml", BILLION_LAUGHS.encode()),
        ("application/dicom+xml", b"<NativeDicomModel>" + b"<Item>" * 100_000),
    ],
    ids=["arrays", "sequences", "a name of 50 MB", "entities", "items"],
)
def test_metadata_made_to_harm_are_refused(http: httpx.Client, media_type: str, content: bytes) -> None:
    body = f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f'multipart/related; type="{media_type}"; boundary={BOUNDARY}'}
    answer = http.post("/studies", content=body, headers=headers)
    assert answer.status_code in (400, 409, 413), answer.text[:300]
    assert len(answer.text) > 40


def test_ten_thousand_parts_that_are_none(http: httpx.Client) -> None:
    answer = http.post("/studies", content=a_body([b""] * 9_998 + [good(1)]), headers={"Content-Type": MULTIPART})
    found: dict[str, Any] = answer.json()
    assert (answer.status_code, len(found["0008119A"]["Value"])) == (202, 9_998)
    assert uids(http) == ["1.2.3.1.1"]


def test_the_file_that_the_hostile_ones_are_made_of_is_good(http: httpx.Client) -> None:
    for content in (a_file(a_data_set(SOPInstanceUID="1.2.3.1.3")), deflated(1024 * 1024), with_uid("1.2.77")):
        answer = http.post("/studies", content=content, headers={"Content-Type": "application/dicom"})
        assert answer.status_code == 200, answer.text
