"""Where calls may go: out, and nowhere inside."""

import socket

import pytest

from host.errors import UpstreamFailed
from host.proxy.destination import (
    ForbiddenAddress,
    Origin,
    is_public,
    parse_origin,
    socket_factory,
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",  # noqa: S104
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1",
        "224.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:7f00:1::1", "::7f00:1", "192.88.99.1",
        "fec0::1", "feff::1", "3fff::1", "3fff:fff::1", "5f00::1", "100::1", "2001:db8::1",
        "::ffff:0:7f00:1", "64:ff9b:1::7f00:1",
    ],
)  # fmt: skip
def test_an_inner_address_is_not_public_whatever_its_form(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(ForbiddenAddress):
        socket_factory(allow_private=False)((socket.AF_INET, 0, 0, "", (address, 443)))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_an_address_out_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://songs.example", "ftp://songs.example", "https://user:pw@songs.example",
        "https://songs.example:22", "https://songs.example:99999", "https://", "songs.example",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_called_is_refused(url: str) -> None:
    with pytest.raises(UpstreamFailed):
        parse_origin(url, allow_private=False)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://songs.example", Origin("https", "songs.example", 443)),
        ("https://songs.example:8443", Origin("https", "songs.example", 8443)),
        ("https://[2606:4700::1111]", Origin("https", "2606:4700::1111", 443)),
    ],
)
def test_an_https_origin_is_read(url: str, origin: Origin) -> None:
    assert parse_origin(url, allow_private=False) == origin


def test_plain_http_inside_is_allowed_only_by_the_operator() -> None:
    assert parse_origin("http://127.0.0.1:9", allow_private=True) == Origin("http", "127.0.0.1", 9)
    opened = socket_factory(allow_private=True)(
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 9))
    )
    opened.close()
