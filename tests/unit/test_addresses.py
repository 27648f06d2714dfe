"""Whom a request is held against, when proxies stand in between."""

import pytest

from host.identity.addresses import client_address, neighbourhood, networks

PROXIES = networks(["10.0.0.0/8", "192.0.2.1", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        pytest.param("203.0.113.9", [], "203.0.113.9", id="direct"),
        pytest.param("203.0.113.9", ["1.2.3.4"], "203.0.113.9", id="a stranger's claim"),
        pytest.param("10.0.0.1", ["1.2.3.4"], "1.2.3.4", id="one proxy"),
        pytest.param("10.0.0.1", ["6.6.6.6, 1.2.3.4, 192.0.2.1"], "1.2.3.4", id="two proxies"),
        pytest.param("10.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4", id="two headers"),
        pytest.param("10.0.0.1", ["10.0.0.2"], "10.0.0.2", id="all of them ours"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="nothing said"),
        pytest.param("10.0.0.1", ["unknown"], "unknown", id="no address"),
        pytest.param("fd00::1", ["2001:db8::5"], "2001:db8::5", id="version 6"),
        pytest.param("", ["1.2.3.4"], "", id="no peer"),
    ],
)
def test_the_right_most_hop_that_is_no_proxy_of_ours(
    peer: str, forwarded: list[str], found: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == found


def test_without_configured_proxies_nobody_is_believed() -> None:
    assert client_address("10.0.0.1", ["1.2.3.4"], networks([])) == "10.0.0.1"


def test_a_household_with_version_6_is_one_neighbour() -> None:
    assert neighbourhood("2001:db8:0:1::1") == neighbourhood("2001:db8:0:1:ffff::2")
    assert neighbourhood("2001:db8:0:1::1") != neighbourhood("2001:db8:0:2::1")
    assert neighbourhood("192.0.2.1") == "192.0.2.1"
    assert len(neighbourhood("x" * 1000)) == 64
