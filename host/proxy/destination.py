"""Where a call may be forwarded to: never into this machine's own network, unless allowed.

A builder chooses the upstream's address, so an address is judged twice: its form when it is read,
and every IP address at the moment a socket is opened for it. The socket is opened for the very
address that was judged, so a name that resolves differently a second later gains nothing.
"""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from host.errors import UpstreamFailed

_PORTS: Final = {"http": 80, "https": 443}
_PRIVILEGED: Final = 1024
_DENIED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        # Python 3.11 takes the next three for global.
        "fec0::/10",  # the site's own, before fc00::/7
        "3fff::/20",  # documentation
        "2620:4f:8000::/48",  # AS112, answered wherever one happens to be
        "64:ff9b::/96",  # NAT64, as is the next: a private address may be inside
        "64:ff9b:1::/48",
        "192.0.0.0/24",  # one cloud's metadata; global to Python 3.11
        "192.88.99.0/24",  # a relay into 6to4
        "168.63.129.16/32",  # another cloud's metadata, otherwise public
    )
)

AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[str | int, ...]]


class ForbiddenAddress(OSError):
    """The upstream's name leads to an address that must not be called."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of an upstream."""

    scheme: str
    host: str
    port: int


def parse_origin(url: str, *, allow_private: bool) -> Origin:
    """The origin of an upstream's URL, if it is one that may be called.

    Raises:
        UpstreamFailed: not https, or credentials or an odd port in the URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise UpstreamFailed("The address behind this service is not valid.") from None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise UpstreamFailed("The address behind this service is not valid.")
    if not allow_private:
        if parts.scheme != "https":
            raise UpstreamFailed("The address behind this service does not use https.")
        if port < _PRIVILEGED and port not in _PORTS.values():
            raise UpstreamFailed("The port of the address behind this service is not allowed.")
    return Origin(parts.scheme, parts.hostname, port)


def is_public(address: str) -> bool:
    """Whether an IP address is out on the internet, looking through every kind of tunnel."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour or ip.teredo:
            return False
    is_special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _DENIED)
    return ip.is_global and not is_special


def socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """What opens sockets for the forwarding: for judged addresses only."""

    def opened(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allow_private and not is_public(str(address[0])):
            raise ForbiddenAddress("the upstream's address is not a public one")
        return socket.socket(family=family, type=kind, proto=protocol)

    return opened
