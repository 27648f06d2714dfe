"""Which machine a request comes from, when proxies stand in between.

`X-Forwarded-For` is believed only from a configured proxy, and then its right-most hop that is
not one of them: everything further left was written by the client.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

IPV6: Final = 6
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]


def networks(written: Sequence[str]) -> Networks:
    """The configured proxies as networks; a single address is a network of one.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(ip_network(part.strip(), strict=False) for part in written)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Networks) -> str:
    """The address to hold responsible for a request."""
    address = peer
    hops = [hop.strip() for header in forwarded_for for hop in header.split(",")]
    while hops and _is_in(address, trusted):
        address = hops.pop()
    return address


def neighbourhood(address: str) -> str:
    """What limits by address are counted on: with IPv6 a household has 2**64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    return str(ip_network(f"{parsed}/64", strict=False)) if parsed.version == IPV6 else address


def _is_in(address: str, trusted: Networks) -> bool:
    try:
        return any(ip_address(address) in network for network in trusted)
    except ValueError:
        return False
