"""Which addresses may be entered as a service's upstream.

Decided from the text alone, so this is the first fence and not the only one: a public name can
lead to a private address, which is checked where the connection is made.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_PRIVILEGED: Final = 1024
"""Below it listen mail, SSH and the like, which no builder offers as a service."""
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PRIVATE_SUFFIXES: Final = (
    ".localhost", ".local", ".internal", ".intranet", ".lan", ".home", ".corp", ".home.arpa",
)  # fmt: skip
_NUMBERS: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")


def origin_of(written: str, *, allow_private: bool) -> str:
    """Scheme, host and port, in lower case, without a port that goes without saying.

    `allow_private` also allows plain http, as a demo and a test need it.

    Raises:
        ValueError: it is no address, or none that may be called.
    """
    parts, port = _split(written.strip())
    host = _host(parts, allow_private=allow_private)
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise ValueError("it must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name or password; enter the secret on its own")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("it has a path; paths belong to the endpoints")
    if (
        not allow_private
        and port is not None
        and port < _PRIVILEGED
        and port != _DEFAULT_PORTS["https"]
    ):
        raise ValueError("its port is not one for web services")
    suffix = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def _split(written: str) -> tuple[SplitResult, int | None]:
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in written):
        raise ValueError("it has spaces or characters that no address has")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError:
        raise ValueError("it cannot be read") from None
    if port == 0:
        raise ValueError("there is no port 0")
    return parts, port


def _host(parts: SplitResult, *, allow_private: bool) -> str:
    host = (parts.hostname or "").lower().rstrip(".")
    if not host:
        raise ValueError("it names no host")
    try:
        address = ip_address(host)
    except ValueError:
        return _name(host, allow_private=allow_private)
    if not allow_private and not _is_public(address):
        raise ValueError("the host is a private, loopback or link-local address")
    return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6


def _name(host: str, *, allow_private: bool) -> str:
    try:
        plain = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        raise ValueError("the host's name cannot be read") from None
    labels = plain.split(".")
    if len(plain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - DNS
        raise ValueError("the host's name cannot be read")
    if _NUMBERS.fullmatch(labels[-1]):  # 127.1, 0x7f.1 and 2130706433 are addresses to some
        raise ValueError("the host is an address in an unusual form")
    if not allow_private and (len(labels) == 1 or plain.endswith(_PRIVATE_SUFFIXES)):
        raise ValueError("the host's name is one of a private network")
    return plain


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    inner = address.ipv4_mapped or address.sixtofour if isinstance(address, IPv6Address) else None
    return address.is_global and not address.is_multicast and (inner is None or inner.is_global)
