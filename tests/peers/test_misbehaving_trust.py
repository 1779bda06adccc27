"""Whom we trust, and whom we tell what: redirects, credentials, TLS with certificates, proxies, endless answers."""

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto import mock_aws

from local.bench_host import MB, resident_mb, while_watching
from tests.builders import a_series
from tests.peers.certificates import Authority
from tests.peers.misbehaving import (
    Exchange,
    Misbehaving,
    answers,
    answers_json,
    endless,
    head,
    html,
    misbehaving,
    parts,
    redirects,
    tunnels,
)
from tests.peers.ourselves import Peer, one_peer

FOUND = {"Uri": "/studies", "Arguments": {"PatientName": "DOE*"}, "HttpHeaders": {"X-Api-Key": "hunter2"}}
BOB = "Basic " + base64.b64encode(b"bob:hunter2").decode()


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server_is_followed_with_credentials(
    peer: Peer, remote: Misbehaving, status: int
) -> None:
    remote.behaves(redirects("/dicom-web/elsewhere", status), answers_json([]))
    assert peer.ask("get", FOUND).status_code == 200
    assert [each.target.partition("?")[0] for each in remote.requests] == ["/dicom-web/studies", "/dicom-web/elsewhere"]
    assert remote.requests[1].headers["authorization"] == BOB


def test_another_server_is_told_no_credentials(peer: Peer, remote: Misbehaving) -> None:
    with misbehaving(answers_json([])) as other:
        remote.behaves(redirects(f"{other.url}/studies"))
        assert peer.ask("get", FOUND).status_code == 200
        (request,) = other.requests
    assert "authorization" not in request.headers
    assert "x-api-key" not in request.headers
    assert remote.requests[0].headers["x-api-key"] == "hunter2"


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/iam", "http://[fd00:ec2::254]/latest/meta-data",
        "http://169.254.170.2/v2/credentials", "http://10.0.0.1/", "http://[::ffff:169.254.169.254]/",
        "http://2852039166/latest/meta-data", "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", ["get", "qido", "echo"])
def test_a_redirect_to_where_none_may_be_is_refused(peer: Peer, remote: Misbehaving, location: str, route: str) -> None:
    remote.behaves(redirects(location))
    answer = peer.ask(route, FOUND)
    assert answer.status_code == 403, answer.text
    assert "AllowedNetworks" in answer.text or "neither http nor https" in answer.text


def test_redirects_without_end_are_given_up(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(redirects("/dicom-web/studies"))
    answer = peer.ask("get", FOUND)
    assert (answer.status_code, "redirects more than 5 times" in answer.text) == (502, True)
    assert len(remote.requests) == 6


def test_a_store_is_not_redirected(peer: Peer, remote: Misbehaving) -> None:
    peer.store(*a_series(1))
    with misbehaving() as other:
        remote.behaves(redirects(f"{other.url}/studies", 307))
        answer = peer.ask("stow", {"Resources": ["1.2.3"]})
        assert not other.requests
    assert answer.status_code == 502
    assert any("its definition needs the URL it redirects to" in str(each) for each in peer.outcomes())


# What they answer


@pytest.mark.parametrize("route", ["qido", "echo"])
@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_a_page_of_html_is_said_and_not_shown(peer: Peer, remote: Misbehaving, route: str, status: int) -> None:
    remote.behaves(html(status))
    answer = peer.ask(route, FOUND)
    assert answer.status_code in (404, 502, 504), answer.text
    assert str(status) in answer.text


@pytest.mark.parametrize("start", [head(200, {"Content-Type": "application/dicom+json"}) + b"["], ids=["json"])
def test_an_answer_without_end_is_given_up(peer: Peer, remote: Misbehaving, start: bytes) -> None:
    remote.behaves(endless(start, b'{"00100010":{"vr":"PN"}},' * 40_000))
    started = time.monotonic()
    answer = peer.ask("qido", FOUND)
    assert (answer.status_code, "longer than" in answer.text) == (502, True)
    assert time.monotonic() - started < 30
    assert remote.is_left_alone()


def test_headers_without_end_are_given_up(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: " + b"x" * 60_000 + b"\r\n"))
    answer = peer.ask("get", FOUND)
    assert answer.status_code in (502, 504), answer.text
    assert remote.is_left_alone()


def test_what_is_relayed_streams_and_ends_with_who_asked(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(endless(head(200, {"Content-Type": "application/octet-stream"}), bytes(64 * 1024)))
    body = {"Uri": "/studies/1.2.3"}
    with peer.http.stream("POST", "/dicom-web/servers/other/get", json=body) as answer:
        assert answer.status_code == 200
        taken = 0
        for chunk in answer.iter_raw():
            taken += len(chunk)
            if taken > 200 * 1024 * 1024:
                break
    assert remote.is_left_alone()


def test_what_is_relayed_takes_no_memory(peer: Peer, remote: Misbehaving) -> None:
    """To who takes it more slowly than it comes; both servers are in this process."""
    remote.behaves(endless(head(200, {"Content-Type": "application/octet-stream"}), bytes(64 * 1024)))

    def relay() -> int:
        taken = 0
        with peer.http.stream("POST", "/dicom-web/servers/other/get", json={"Uri": "/studies/1.2.3"}) as answer:
            for number, chunk in enumerate(answer.iter_raw(MB)):
                taken += len(chunk)
                if number % 50 == 0:
                    time.sleep(0.1)
                if taken > 500 * MB:
                    break
        return taken

    before = resident_mb(os.getpid())
    taken, _, peak = while_watching(os.getpid(), relay)
    assert taken > 500 * MB
    assert peak - before < 50


def test_a_relayed_answer_that_is_cut_is_cut_for_who_asked(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(answers(200, b"half", Content_Length="1000"))
    with pytest.raises(httpx.RemoteProtocolError):
        peer.http.post("/dicom-web/servers/other/get", json={"Uri": "/studies/1.2.3"})


def test_connections_that_were_left_in_the_middle_are_given_back(peer: Peer, remote: Misbehaving) -> None:
    """More of them than the pool has."""
    remote.behaves(*[answers(200, b"half", Content_Length="1000")] * 80, answers_json([]))
    for _ in range(80):
        with pytest.raises(httpx.RemoteProtocolError):
            peer.http.post("/dicom-web/servers/other/get", json={"Uri": "/studies/1.2.3"})
    assert peer.ask("get", FOUND).status_code == 200


# TLS


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def trusting(authority: Authority) -> Iterator[Peer]:
    """A server that trusts the authority."""
    with mock_aws(), one_peer(HttpsCACertificates=authority.pem) as peer:
        yield peer


def test_a_server_of_a_known_authority_is_trusted(trusting: Peer, authority: Authority, tmp_path: Path) -> None:
    with misbehaving(answers_json([]), tls=authority.server(tmp_path)) as remote:
        trusting.define("other", remote.url, Username="bob", Password="hunter2")
        assert trusting.ask("echo").status_code == 200
        assert remote.requests[0].headers["authorization"] == BOB


def test_a_server_of_an_unknown_authority_is_not(peer: Peer, authority: Authority, tmp_path: Path) -> None:
    with misbehaving(answers_json([]), tls=authority.server(tmp_path)) as remote:
        peer.define("other", remote.url, Username="bob", Password="hunter2")
        answer = peer.ask("echo")
        assert (answer.status_code, "CERTIFICATE_VERIFY_FAILED" in answer.text) == (502, True)
        assert not remote.requests


def test_peers_are_not_verified_where_the_settings_say_so(authority: Authority, tmp_path: Path) -> None:
    with (
        mock_aws(),
        one_peer(HttpsVerifyPeers=False) as peer,
        misbehaving(answers_json([]), tls=authority.server(tmp_path)) as remote,
    ):
        peer.define("other", remote.url)
        assert peer.ask("echo").status_code == 200


def test_a_server_of_another_name_is_not_trusted(trusting: Peer, authority: Authority, tmp_path: Path) -> None:
    with misbehaving(answers_json([]), tls=authority.server(tmp_path)) as remote:
        trusting.define("other", remote.url.replace("127.0.0.1", "127.0.0.2"))
        assert trusting.ask("echo").status_code in (502, 504)


@pytest.mark.parametrize("password", ["", "hunter2"])
@pytest.mark.parametrize("as_files", [False, True])
def test_a_certificate_of_ours_lets_us_in(
    trusting: Peer, authority: Authority, tmp_path: Path, password: str, as_files: bool
) -> None:
    own = authority.issue("us", password)
    certificate, key = own.certificate, own.key
    if as_files:
        (tmp_path / "own.pem").write_text(certificate)
        (tmp_path / "key.pem").write_text(key)
        certificate, key = str(tmp_path / "own.pem"), str(tmp_path / "key.pem")
    named = {"CertificateFile": certificate, "CertificateKeyFile": key, "CertificateKeyPassword": password}
    with misbehaving(answers_json([]), tls=authority.server(tmp_path, asks_for_certificate=True)) as remote:
        trusting.define("other", remote.url, **named)
        assert trusting.ask("echo").status_code == 200
    shown = trusting.http.get("/dicom-web/servers?expand").text
    assert "PRIVATE KEY" not in shown
    assert "hunter2" not in shown


def test_who_has_no_certificate_is_told_so(trusting: Peer, authority: Authority, tmp_path: Path) -> None:
    with misbehaving(answers_json([]), tls=authority.server(tmp_path, asks_for_certificate=True)) as remote:
        trusting.define("other", remote.url)
        answer = trusting.ask("echo")
    assert answer.status_code in (502, 504), answer.text


def test_a_key_with_another_password_is_said_and_not_shown(trusting: Peer, authority: Authority) -> None:
    own = authority.issue("us", "hunter2")
    named = {"CertificateFile": own.certificate, "CertificateKeyFile": own.key, "CertificateKeyPassword": "wrong"}
    trusting.define("other", "https://127.0.0.1:9/", **named)
    answer = trusting.ask("echo")
    assert (answer.status_code, "certificate or key" in answer.text) == (502, True)
    assert "PRIVATE" not in answer.text


# Credentials


def test_a_bearer_token_is_a_header_of_the_definition(peer: Peer, remote: Misbehaving) -> None:
    peer.define("other", remote.url, HttpHeaders={"Authorization": "Bearer hunter2"})
    remote.behaves(answers_json([]))
    peer.ask("qido", {"Uri": "/studies"})
    assert remote.requests[-1].headers["authorization"] == "Bearer hunter2"
    assert "hunter2" not in peer.http.get("/dicom-web/servers?expand").text


def test_headers_of_a_call_take_the_place_of_the_definitions(peer: Peer, remote: Misbehaving) -> None:
    remote.behaves(answers_json([]))
    peer.ask("qido", {"Uri": "/studies", "HttpHeaders": {"Authorization": "Bearer other"}})
    assert remote.requests[-1].headers["authorization"] == "Bearer other"


# A proxy


def relayed(exchange: Exchange) -> None:
    """As a proxy answers for a server over HTTP: the whole URL is the target."""
    exchange.read_body()
    answers_json([])(exchange)


def test_a_proxy_is_asked_by_its_credentials() -> None:
    with misbehaving(relayed) as proxy:
        address = f"http://px:hunter2@127.0.0.1:{proxy.port}"
        with mock_aws(), one_peer(HttpProxy=address) as peer:
            peer.define("other", "http://pacs.example/dicom-web", Username="bob", Password="hunter2")
            assert peer.ask("echo").status_code == 200
        (request,) = proxy.requests
    assert request.target.startswith("http://pacs.example/dicom-web/studies")
    assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"px:hunter2").decode()
    assert request.headers["authorization"] == BOB


def test_a_proxy_is_told_where_a_server_with_tls_is_and_nothing_else(authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("us")
    with (
        misbehaving(answers_json([]), tls=authority.server(tmp_path, asks_for_certificate=True)) as remote,
        misbehaving(tunnels(remote.port)) as proxy,
        mock_aws(),
        one_peer(HttpProxy=f"http://px:swordfish@127.0.0.1:{proxy.port}", HttpsCACertificates=authority.pem) as peer,
    ):
        named = {"CertificateFile": own.certificate, "CertificateKeyFile": own.key}
        peer.define("other", remote.url, Username="bob", Password="hunter2", **named)
        answer = peer.ask("get", FOUND)
        assert answer.status_code == 200, answer.text
        (asked,), (request,) = proxy.requests, remote.requests
    assert (asked.method, asked.target) == ("CONNECT", f"127.0.0.1:{remote.port}")
    assert asked.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"px:swordfish").decode()
    assert not {"authorization", "x-api-key"} & asked.headers.keys()
    assert (request.headers["authorization"], request.headers["x-api-key"]) == (BOB, "hunter2")
    assert "proxy-authorization" not in request.headers


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://localhost:9/", "http://[::1]/", "http://10.0.0.1/"])
def test_a_proxy_is_not_asked_for_where_none_may_be(url: str) -> None:
    with (
        misbehaving(relayed) as proxy,
        mock_aws(),
        one_peer(HttpProxy=f"http://127.0.0.1:{proxy.port}", AllowedNetworks=[]) as peer,
    ):
        peer.define("other", url)
        assert peer.ask("echo").status_code == 403
        assert not proxy.requests


@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_does_not_let_us_through_is_said(status: int) -> None:
    with (
        misbehaving(answers(status)) as proxy,
        mock_aws(),
        one_peer(HttpProxy=f"http://127.0.0.1:{proxy.port}") as peer,
    ):
        peer.define("other", "https://pacs.example/dicom-web")
        answer = peer.ask("echo")
    assert answer.status_code in (502, 504)
    assert "proxy" in answer.text or str(status) in answer.text


# Parts


def test_a_retrieve_follows_a_redirect_to_where_the_files_are(peer: Peer, remote: Misbehaving) -> None:
    """As our own server on Lambda does."""
    with misbehaving(parts(*a_series(2))) as bucket:
        remote.behaves(answers(404), redirects(f"{bucket.url}/answer?X-Amz-Signature=1", 307))
        answer = peer.ask("retrieve", {"Resources": [{"Study": "1.2.3"}]})
    assert answer.status_code == 200, answer.text
    assert len(peer.instances()) == 2
