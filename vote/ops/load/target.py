"""Parse the target of a load, and refuse deployments that are not known to be the user's own.

Own are this machine (loopback) and PUBLIC_URL of the settings, and what the user names explicitly. Nothing else is guessed:
a DNS name, a private address or the service's answers do not prove who owns it.
"""

import ipaddress
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


class Target(NamedTuple):
    """A deployment."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Return whether it is this machine. Names other than `localhost` are not resolved: they may change at any time."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def tls(self) -> ssl.SSLContext | None:
        """Return the TLS context, which verifies certificates with the system's authorities or SSL_CERT_FILE; None for plain
        HTTP.
        """
        return ssl.create_default_context() if self.scheme == "https" else None


def parse(url: str) -> Target:
    """Return the target of a URL. Raises ValueError if it has a path or no host."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError(f"{url} is not the address of a deployment. Write it like https://vote.example.org")
    return Target(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])


def check_is_own(target: Target, *, public_url: str | None, owned: str | None) -> None:
    """Raise ValueError unless the target is loopback, PUBLIC_URL, or named again by `owned`."""
    named = [parse_origin(url) for url in (public_url, owned) if url]
    if not target.is_loopback and target not in named:
        raise ValueError(
            f"{target.url} is not known to be yours: it is neither this machine nor PUBLIC_URL. Loading someone else's"
            f" service is an attack. If it is yours, confirm with --i-own-this-target {target.url}"
        )


def parse_origin(url: str) -> Target:
    """Return the target of a URL, ignoring its path."""
    parts = urlsplit(url)
    return parse(f"{parts.scheme}://{parts.netloc}")
