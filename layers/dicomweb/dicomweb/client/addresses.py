"""Which addresses a remote server may have: what is asked of us must not reach what only we can reach.

Public addresses are allowed; those of this machine, of its network, of the cloud's metadata are not, unless the setting
AllowedNetworks has them. A name is resolved once, and what was checked is what is connected to.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore

from dicomweb.client.pace import Paced
from dicomweb.errors import AddressRefused

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1: an IPv4 address in its last 32 bits

_REFUSED = " is at no address that a remote server may have; the setting AllowedNetworks names private networks"

Address = IPv4Address | IPv6Address


def is_allowed(address: Address, networks: Iterable[str]) -> bool:
    """Whether a remote server may be there.

    Args:
        networks: those that are allowed beside public addresses, such as 10.0.0.0/8.
    """
    address = _meant(address)
    if any(address in ip_network(network) for network in networks):
        return True
    return address.is_global and not address.is_multicast


def check_literal(host: str, networks: Iterable[str]) -> None:
    """Raises AddressRefused for an address, or a name of this machine, where no remote server may be."""
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        if host.rstrip(".").lower() not in ("localhost", "localhost.localdomain"):
            return
        found = ip_address("127.0.0.1")
    if not is_allowed(found, networks):
        raise AddressRefused(f"{host}{_REFUSED}")


def _meant(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that leads to it."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


class GuardedBackend(httpcore.SyncBackend):
    """Connects to allowed addresses alone."""

    def __init__(self, networks: Iterable[str]) -> None:
        super().__init__()
        self._networks = tuple(networks)

    def connect_tcp(self, host: str, port: int, *arguments: Any, **named: Any) -> httpcore.NetworkStream:
        """Raises AddressRefused when the host has no allowed address."""
        allowed = self._allowed(host, port)
        for number, address in enumerate(allowed, 1):
            try:
                return Paced(super().connect_tcp(address, port, *arguments, **named))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(allowed):
                    raise
        raise AddressRefused(f"{host}{_REFUSED}")

    def connect_unix_socket(self, *_arguments: Any, **_named: Any) -> httpcore.NetworkStream:
        raise AddressRefused("a remote server is at no socket of this machine")

    def _allowed(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host} cannot be resolved") from error
        addresses = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
        return [each for each in addresses if is_allowed(ip_address(each), self._networks)]
