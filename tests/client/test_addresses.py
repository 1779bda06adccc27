"""Where remote servers may be."""

import socket
from ipaddress import ip_address

import httpcore
import pytest

from dicomweb.client.addresses import GuardedBackend, is_allowed
from dicomweb.errors import AddressRefused


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),  # this machine; the Lambda runtime API
        ("127.8.8.8", False),
        ("0.0.0.0", False),  # noqa: S104
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),  # carrier-grade NAT
        ("169.254.169.254", False),  # metadata of EC2
        ("169.254.170.2", False),  # credentials of ECS
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),  # metadata of EC2 by IPv6
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),  # IPv4 in IPv6
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),  # the same by NAT64
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),  # 6to4
        ("2002:a9fe:a9fe::", False),
    ],
)
def test_public_addresses_alone_are_allowed(address: str, allowed: bool) -> None:
    assert is_allowed(ip_address(address), []) is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.2.0.1", False), ("127.0.0.1", False), ("fd00::5", True)],
)
def test_settings_allow_networks(address: str, allowed: bool) -> None:
    assert is_allowed(ip_address(address), ["10.1.0.0/16", "fd00::/64"]) is allowed


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "017700000001", "::1"])
def test_other_ways_to_write_this_machine_are_refused(host: str) -> None:
    with pytest.raises((AddressRefused, httpcore.ConnectError)):
        GuardedBackend([]).connect_tcp(host, 9, timeout=1)


def test_the_address_that_was_checked_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    # A name that leads to a public address when it is looked at, and here when it is asked for again.
    answers = iter(["93.184.216.34", "127.0.0.1"])

    def resolve(_host: str, port: int, *_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    connected: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address[0])
        raise OSError("nobody is there")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(httpcore.ConnectError):
        GuardedBackend([]).connect_tcp("rebinding.example", 80, timeout=1)
    assert connected == ["93.184.216.34"]


def test_a_host_with_one_allowed_address_is_reached_by_that(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("10.0.0.1", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        GuardedBackend(["127.0.0.0/8"]).connect_tcp("host.example", port, timeout=2).close()
