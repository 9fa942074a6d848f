"""Find a client's address: the peer's, or the one our own proxies report.

Each proxy appends its peer to `X-Forwarded-For`; everything left of our own proxies' entries was written by the client. So
it is read from the right, hop by hop, while the hops are TRUSTED_PROXIES (adam-p, "The perils of the real client IP"). No
other forwarding header is read.
"""

import ipaddress
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from vote.config import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_HOPS = 20  # no honest path is longer
NOWHERE = "unknown"  # the network of a peer without an address, such as a local process on a unix socket
FORWARDING = ("x-forwarded-for", "x-real-ip", "forwarded")
IPV6_PREFIX = 64  # one subscriber's network: a limit per address would start afresh for each of 2⁶⁴ addresses


def address_of(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """Return the nearest address that is not one of our proxies; None when the peer has none (a unix socket without
    proxies).

    `forwarded_for` holds the values of all X-Forwarded-For headers in order. With TRUSTED_PROXIES set, a unix socket counts
    as a trusted hop: file permissions decide who may open it. The walk ends at the first entry that is not an address.
    """
    nearest = parse(peer or "")
    if not trusted or (nearest is not None and not is_within(nearest, trusted)):
        return nearest
    hops = [hop for value in forwarded_for for hop in value.split(",")][-MAX_HOPS:]
    for hop in reversed(hops):
        address = parse(hop)
        if address is None:
            return nearest
        nearest = address
        if not is_within(nearest, trusted):
            return nearest
    return nearest


def network_of(address: Address | None) -> str:
    """Return the network that rate limits count for strangers: an IPv4 address, or the /64 of an IPv6 address.

    A hall or a campus behind one address is one network too, which is why voting is never limited by network.
    """
    if address is None:
        return NOWHERE
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))


def client_of(scope: Mapping[str, Any], trusted: Sequence[Network] = ()) -> Address | None:
    """Return the client's address of an ASGI connection, behind `trusted` proxies."""
    peer = scope.get("client")
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return address_of(peer[0] if peer else None, forwarded, trusted)


def apply_trusted_proxies(scope: MutableMapping[str, Any], trusted: Sequence[Network]) -> bool:
    """Set the scope's `client` to the client behind our own proxies, and remove the forwarding headers it was read from.

    Returns whether the peer is such a proxy.
    """
    if not trusted:
        return False
    peer = scope.get("client")
    here = parse(peer[0]) if peer else None
    if here is not None and not is_within(here, trusted):
        return False
    scope["client"] = (str(client_of(scope, trusted) or ""), 0)
    scope["headers"] = [header for header in scope["headers"] if header[0].decode("latin-1") not in FORWARDING]
    return True


def is_in_networks(address: Address | None, networks: Iterable[Network], headers: Iterable[str]) -> bool:
    """Return whether a client may use what is restricted to these networks. `headers` are the names of all headers it sent.

    A forwarding header that is still there was not written by TRUSTED_PROXIES but by a client, who gains nothing, or by an
    unknown proxy. Then the address is the proxy's, and its client could be anyone.
    """
    return is_within(address, networks) and not any(name.lower() in FORWARDING for name in headers)


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Return whether the address is in one of the networks; an unknown address is in none."""
    return address is not None and any(address in network for network in networks)


def parse(text: str) -> Address | None:
    """Parse an address with or without a port; return None for anything else. An IPv4-mapped IPv6 address becomes IPv4."""
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
