"""A remote server that is slow, cuts connections, or sends without an end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.builders import a_file
from tests.peers.misbehaving import Behaviour, Misbehaving, after_reading, drips, head, silent
from tests.peers.ourselves import Peer

STUDY = "1.2.3"
QUERY = {"PatientName": "DOE"}
TIMEOUT_S = 1  # of the fixture `remote`

CALLS: dict[str, dict[str, object]] = {
    "get": {"Uri": "/studies", "Arguments": QUERY},
    "qido": {"Uri": "/studies", "Arguments": QUERY},
    "echo": {},
    "delete": {"Level": "Study", "StudyInstanceUID": STUDY},
}
JOBS: dict[str, dict[str, object]] = {  # which try again
    "stow": {"Resources": [STUDY]},
    "retrieve": {"Resources": [{"Study": STUDY}]},
    "wado": {"Uri": f"/studies/{STUDY}", "Arguments": QUERY, "Synchronous": True},
}
ATTEMPTS = 3

JSON = head(200, {"Content-Type": "application/dicom+json"})
HEADERS_DRIP = drips(b"HTTP/1.1 200 OK\r\n", b"A", 0.2)
CUTS = {
    "before the status": after_reading(),
    "in the status": after_reading(b"HTTP/1.1 200 O"),
    "in the headers": after_reading(b"HTTP/1.1 200 OK\r\nContent-Ty"),
    "no HTTP": after_reading(b"garbage\r\n\r\n"),
}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """It takes no longer."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize(
    ("behaviour", "routes"),
    [(silent, list(CALLS)), (HEADERS_DRIP, list(CALLS)), (drips(JSON, b" ", 0.2), ["qido", "echo"])],
    ids=["never answers", "headers byte by byte", "body byte by byte"],
)
def test_who_is_too_slow_is_waited_for_as_long_as_the_definition_says(
    peer: Peer, remote: Misbehaving, behaviour: Behaviour, routes: list[str]
) -> None:
    remote.behaves(behaviour)
    for route in routes:
        with within(TIMEOUT_S + 2):
            answer = peer.ask(route, CALLS[route])
        assert (answer.status_code, "did not answer in time" in answer.text) == (504, True)
    assert (len(remote.requests), remote.is_left_alone()) == (len(routes), True)


@pytest.mark.parametrize(
    ("route", "behaviour"),
    [
        ("stow", silent),
        ("retrieve", silent),
        ("wado", silent),
        ("stow", HEADERS_DRIP),
        ("stow", drips(JSON, b" ", 0.2)),
    ],
)
def test_a_job_tries_again_where_a_server_is_too_slow_and_ends(
    peer: Peer, remote: Misbehaving, route: str, behaviour: Behaviour
) -> None:
    peer.store(a_file())
    remote.behaves(behaviour)
    with within(ATTEMPTS * (TIMEOUT_S + 2)):
        answer = peer.ask(route, JOBS[route])
    assert (answer.status_code, "did not answer in time" in answer.text) == (502, True)
    assert (len(remote.requests), remote.is_left_alone()) == (ATTEMPTS, True)


@pytest.mark.parametrize("cut", CUTS)
def test_a_connection_that_is_cut_is_said(peer: Peer, remote: Misbehaving, cut: str) -> None:
    remote.behaves(CUTS[cut])
    for route, body in CALLS.items():
        answer = peer.ask(route, body)
        assert (answer.status_code, "cut the connection off" in answer.text) == (504, True)
    assert len(remote.requests) == len(CALLS)


@pytest.mark.parametrize("route", JOBS)
def test_a_job_tries_again_where_a_connection_is_cut_and_ends(peer: Peer, remote: Misbehaving, route: str) -> None:
    peer.store(a_file())
    remote.behaves(*CUTS.values())
    answer = peer.ask(route, JOBS[route])
    assert (answer.status_code, "cut the connection off" in answer.text) == (502, True)
    assert len(remote.requests) == ATTEMPTS
