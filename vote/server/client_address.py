"""Whose request this is, as far as an address says: the peer's, or what our own proxies say of who is behind them.

`X-Forwarded-For` is a list to which each proxy adds who spoke to it; all to the left of what our own proxies added was
written by the client. So it is read from the right, hop by hop, as far as the hops are TRUSTED_PROXIES (adam-p, "The
perils of the real client IP"). No other forwarding header is read at all.
"""

import ipaddress
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from vote.config import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HOPS = 20  # a longer list is nobody's honest path
NOWHERE = "unknown"  # the network of a peer without an address, such as a local process on a unix socket
FORWARDING = ("x-forwarded-for", "x-real-ip", "forwarded")
IPV6_PREFIX = 64  # what one subscriber gets: each of its 2⁶⁴ addresses would be a fresh start


def address_of(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """The nearest address that is none of our proxies; None when the peer has none (a unix socket without proxies).

    `forwarded_for` holds the values of all X-Forwarded-For headers in order. A unix socket counts as a trusted hop as
    soon as there are TRUSTED_PROXIES: who may open it is a matter of file permissions. What is no address ends the walk.
    """
    here = parse(peer or "")
    if not trusted or (here is not None and not is_within(here, trusted)):
        return here
    hops = [hop for value in forwarded_for for hop in value.split(",")][-MAX_HOPS:]
    for hop in reversed(hops):
        further = parse(hop)
        if further is None:
            return here
        here = further
        if not is_within(here, trusted):
            return here
    return here


def network_of(address: Address | None) -> str:
    """What counts as one network where strangers are limited: an IPv4 address, the /64 of an IPv6 address.

    A hall or a campus behind one address is one network too, which is why nothing about voting asks this question.
    """
    if address is None:
        return NOWHERE
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def client_of(scope: Mapping[str, Any], trusted: Sequence[Network]) -> Address | None:
    """The address behind an ASGI connection."""
    peer = scope.get("client")
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return address_of(peer[0] if peer else None, forwarded, trusted)


def apply_trusted_proxies(scope: MutableMapping[str, Any], trusted: Sequence[Network]) -> None:
    """Let the app see as `client` who is behind our own proxies. What they said of it is believed now, and taken out."""
    if not trusted:
        return
    peer = scope.get("client")
    here = parse(peer[0]) if peer else None
    if here is None or is_within(here, trusted):
        scope["client"] = (str(client_of(scope, trusted) or ""), 0)
        scope["headers"] = [header for header in scope["headers"] if header[0].decode("latin-1") not in FORWARDING]


def is_in_networks(address: Address | None, networks: Iterable[Network], headers: Iterable[str]) -> bool:
    """Whether a client may have what is only for these networks. `headers` are the names of all it sent.

    A forwarding header that is left was written by nobody of TRUSTED_PROXIES: by a client, who gains nothing, or by a proxy
    we know nothing of. Then the address is the proxy's, and who is behind it could be anybody.
    """
    return is_within(address, networks) and not any(name.lower() in FORWARDING for name in headers)


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks; one that is not known is in none."""
    return address is not None and any(address in network for network in networks)


def parse(text: str) -> Address | None:
    """An address as text, with or without a port; None for anything else. IPv4 inside IPv6 is IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
