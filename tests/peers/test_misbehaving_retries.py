"""A remote server that does not take a request now, or never will."""

import time
from email.utils import formatdate

import pytest

from dicomweb.jobs import watch
from tests.builders import a_file, a_series
from tests.peers.misbehaving import (
    Behaviour,
    Exchange,
    Misbehaving,
    answers,
    answers_json,
    head,
    parts,
    rows,
    store_response,
    without_reading,
)
from tests.peers.ourselves import Peer

STUDY, SERIES = "1.2.3", "1.2.3.1"
UIDS = [f"{SERIES}.{number}" for number in (1, 2, 3, 4)]
FILES = a_series(4)
STOW = {"Resources": [STUDY]}
RETRIEVE = {"Resources": [{"Study": STUDY, "Series": SERIES, "Instance": UIDS[0]}]}
STORED = answers_json(store_response(UIDS))
CALLS = {"stow": STOW, "retrieve": RETRIEVE}
GIVEN = {"stow": STORED, "retrieve": parts(FILES[0])}


def in_seconds(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("route", CALLS)
def test_what_may_pass_is_tried_again_and_counted(peer: Peer, remote: Misbehaving, route: str) -> None:
    peer.store(*(FILES if route == "stow" else []))
    for status in (408, 429, 500, 502, 503, 504):
        remote.requests.clear()
        remote.behaves(answers(status, b"<html>DOE hunter2"), GIVEN[route])
        answer = peer.ask(route, CALLS[route])
        assert (answer.status_code, len(remote.requests)) == (200, 2), answer.text
        assert peer.job()["Retries"] == 1
        assert {each["Attempts"] for each in peer.outcomes()} == {2}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize("is_date", [False, True])
def test_retry_after_is_waited_for(peer: Peer, remote: Misbehaving, route: str, is_date: bool) -> None:
    peer.store(*(FILES if route == "stow" else []))
    remote.behaves(answers(503, Retry_After=in_seconds(4) if is_date else "3"), GIVEN[route])
    started = time.monotonic()
    assert peer.ask(route, CALLS[route]).status_code == 200
    assert 2.5 < time.monotonic() - started < 7
    assert peer.job()["Retries"] == 1


def test_retry_after_is_waited_for_before_a_job_is_planned(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(answers(429, Retry_After="2"), rows((SERIES, UIDS[0])), rows(), parts(FILES[0]))
    started = time.monotonic()
    assert peer.ask("retrieve", {"Resources": [{"Study": STUDY}]}).status_code == 200
    assert time.monotonic() - started > 1.5
    assert peer.job()["Retries"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "-5",
        "",
        "1.5",
        "²",
        "Fri, 31 Dec 0001 23:59:59 -0000",
        "Fri, 99 Dec 1999 23:59:59 GMT",
        "Sun, 19 Mar 1995 11:34:33 GMT",
        "9" * 400,
    ],
)
def test_a_retry_after_that_cannot_be_meant_changes_nothing(
    peer: Peer, remote: Misbehaving, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_LONGEST_WAIT_S", 1.0)
    peer.store(*FILES)
    remote.behaves(answers(503, Retry_After=text), STORED)
    started = time.monotonic()
    assert peer.ask("stow", STOW).status_code == 200
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("route", CALLS)
def test_a_server_that_fails_for_ever_is_given_up_with_the_reason(peer: Peer, remote: Misbehaving, route: str) -> None:
    peer.store(*(FILES if route == "stow" else []))
    remote.behaves(answers(500))
    answer = peer.ask(route, CALLS[route])
    assert (answer.status_code, len(remote.requests)) == (502, 3)
    assert "the remote server answered 500 (attempt 3)" in answer.text
    for each in peer.outcomes():
        assert (each["Attempts"], each["Reason"]) == (3, "the remote server answered 500 (attempt 3)")
    assert (peer.job()["State"], peer.job()["Retries"]) == ("Failure", 2)


@pytest.mark.parametrize("route", CALLS)
def test_what_is_refused_is_not_tried_again(peer: Peer, remote: Misbehaving, route: str) -> None:
    peer.store(*(FILES[:1] if route == "stow" else []))
    for status in (300, 304, 400, 401, 403, 404, 405, 406, 411, 413, 415, 422, 501):
        remote.requests.clear()
        remote.behaves(answers(status, b"<html>DOE hunter2"))
        answer = peer.ask(route, CALLS[route])
        assert (answer.status_code, len(remote.requests), peer.job()["Retries"]) == (502, 1, 0)
        (outcome,) = peer.outcomes()
        assert (outcome["Attempts"], outcome["Status"]) == (1, "Failure")
        assert str(status) in outcome["Reason"] or (route, status) == ("retrieve", 404)


def refuses_more_than(count: int, status: int) -> Behaviour:
    """Stores up to so many instances a request."""

    def behave(exchange: Exchange) -> None:
        exchange.read_body()
        sent = exchange.request.body.count(b"Content-Type: application/dicom\r\n")
        (answers(status) if sent > count else STORED)(exchange)

    return behave


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize(("most", "requests"), [(2, 3), (1, 7)])
def test_a_batch_that_is_refused_is_sent_in_halves(
    peer: Peer, remote: Misbehaving, status: int, most: int, requests: int
) -> None:
    peer.store(*FILES)
    remote.behaves(refuses_more_than(most, status))
    answer = peer.ask("stow", STOW)
    assert (answer.status_code, len(remote.requests)) == (200, requests), answer.text
    assert [each["Status"] for each in peer.outcomes()] == ["Success"] * 4


def test_one_instance_that_is_refused_fails_alone(peer: Peer, remote: Misbehaving) -> None:
    def behave(exchange: Exchange) -> None:
        (answers(400) if UIDS[1].encode() in exchange.read_body() else STORED)(exchange)

    peer.store(*FILES)
    remote.behaves(behave)
    assert peer.ask("stow", STOW).status_code == 502
    assert {each["SOPInstanceUID"]: each["Status"] for each in peer.outcomes()} == {
        uid: "Failure" if uid == UIDS[1] else "Success" for uid in UIDS
    }


LARGE = [a_file(SOPInstanceUID=uid, PixelData=bytes(2_000_000), Rows=1000, Columns=1000) for uid in UIDS]


@pytest.mark.parametrize("chunked", [True, False])
def test_a_refusal_that_comes_while_instances_are_sent_is_understood(
    peer: Peer, remote: Misbehaving, chunked: bool
) -> None:
    peer.store(*LARGE)
    peer.define("other", remote.url, ChunkedTransfers=chunked, Timeout=5)
    early = without_reading(head(413, {"Content-Length": "0"}))
    remote.behaves(early, STORED)
    answer = peer.ask("stow", STOW)
    assert (answer.status_code, len(remote.requests)) == (200, 3), answer.text
