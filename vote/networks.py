"""Addresses and networks of clients: what only some networks may use."""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Networks = Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
FORWARDING = ("x-forwarded-for", "x-real-ip", "forwarded")


def is_in_networks(address: Address | None, networks: Networks, headers: Iterable[str]) -> bool:
    """Return whether a client may use what is restricted to these networks. `headers` are the names of all headers it sent.

    A forwarding header that is still there was not written by TRUSTED_PROXIES but by a client, who gains nothing, or by an
    unknown proxy. Then the address is the proxy's, and its client could be anyone.
    """
    return is_within(address, networks) and not any(name.lower() in FORWARDING for name in headers)


def is_within(address: Address | None, networks: Networks) -> bool:
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
