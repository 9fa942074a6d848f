"""Find a client's address: the peer's, or the one our own proxies report.

Each proxy appends its peer to `X-Forwarded-For`; everything left of our own proxies' entries was written by the client. So
it is read from the right, hop by hop, while the hops are TRUSTED_PROXIES (adam-p, "The perils of the real client IP"). No
other forwarding header is read.
"""

import ipaddress
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from vote.config import Network
from vote.networks import FORWARDING, Address, is_within, parse

MAX_HOPS = 20  # no honest path is longer
NOWHERE = "unknown"  # the network of a peer without an address, such as a local process on a unix socket
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
