"""Who is behind a request, whatever it says of itself."""

import ipaddress
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vote.networks import is_in_networks, is_within, parse
from vote.server.client_address import (
    NOWHERE,
    address_of,
    apply_trusted_proxies,
    client_of,
    network_of,
)

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
PEER = "203.0.113.7"


@pytest.mark.parametrize("peer", [PEER, "127.0.0.1", "10.0.0.1", "::1"])
def test_without_trusted_proxies_no_header_is_believed(peer: str) -> None:
    assert address_of(peer, ["198.51.100.1"], ()) == ipaddress.ip_address(peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (PEER, ["198.51.100.1"], PEER),  # not from a proxy of ours
        ("127.0.0.1", ["198.51.100.1"], "127.0.0.1"),  # loopback is none either
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the left part is the client's own text
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, 10.0.0.2"], "198.51.100.1"),  # two proxies of ours
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2, 10.0.0.3"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),  # somebody inside
        (None, ["198.51.100.1"], "198.51.100.1"),  # nginx on a unix socket
        ("", ["198.51.100.1"], "198.51.100.1"),
    ],
)
def test_the_nearest_address_that_is_no_proxy_of_ours(peer: str | None, forwarded: list[str], found: str) -> None:
    assert str(address_of(peer, forwarded, PROXIES)) == found


def test_a_unix_socket_without_proxies_has_no_address() -> None:
    assert address_of(None, ["198.51.100.1"], ()) is None
    assert network_of(None) == NOWHERE


@given(st.lists(st.text(max_size=80), max_size=5))
def test_what_a_stranger_writes_never_counts(written: list[str]) -> None:
    assert str(address_of(PEER, written, PROXIES)) == PEER
    assert str(address_of("10.0.0.1", [*written, "198.51.100.1"], PROXIES)) == "198.51.100.1"


def test_ten_thousand_spoofed_headers_are_one_client() -> None:
    dice = random.Random(1)
    names = [b"x-forwarded-for", b"x-real-ip", b"forwarded", b"true-client-ip", b"x-client-ip", b"cf-connecting-ip"]
    for peer in ("127.0.0.1", PEER):
        for _ in range(10_000):
            value = str(ipaddress.IPv4Address(dice.getrandbits(32))).encode("ascii")
            headers = [(dice.choice(names), value if dice.random() < 0.8 else b"for=" + value)]
            assert str(client_of({"client": (peer, 1), "headers": headers}, PROXIES)) == peer


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
    ],
)
def test_a_network_is_an_ipv4_address_or_a_64(address: str, network: str) -> None:
    assert network_of(parse(address)) == network


def test_nobody_is_within_no_network() -> None:
    assert is_within(parse("10.1.2.3"), PROXIES)
    assert not is_within(parse("11.1.2.3"), PROXIES)
    assert not is_within(parse("fe80::1"), PROXIES)
    assert not is_within(None, PROXIES)


def settled(peer: str | None, headers: list[tuple[bytes, bytes]]) -> tuple[str, list[str]]:
    """Who the app sees, and the names of the headers it sees."""
    scope: dict[str, Any] = {"client": (peer, 1) if peer else None, "headers": headers}
    assert apply_trusted_proxies(scope, PROXIES) is (peer != PEER)
    return scope["client"][0], [name.decode() for name, _ in scope["headers"]]


def test_what_our_proxy_says_is_believed_and_taken_out() -> None:
    headers = [(b"x-forwarded-for", b"10.1.1.1, 198.51.100.1"), (b"x-real-ip", b"10.1.1.1"), (b"host", b"x")]

    assert settled("10.0.0.1", headers) == ("198.51.100.1", ["host"])
    assert settled(None, headers) == ("198.51.100.1", ["host"])
    assert settled(PEER, headers) == (PEER, ["x-forwarded-for", "x-real-ip", "host"])


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "x-forwarded-for"])
def test_who_comes_by_a_proxy_nobody_knows_stands_in_no_network(name: str) -> None:
    inside = parse("10.1.2.3")

    assert is_in_networks(inside, PROXIES, ["Host"])
    assert not is_in_networks(inside, PROXIES, ["Host", name])
    assert not is_in_networks(parse(PEER), PROXIES, ["Host"])
    assert not is_in_networks(None, PROXIES, [])
