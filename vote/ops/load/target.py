"""Where the load goes, and whether it may: only at a deployment of one's own, unless somebody says so in as many words.

One's own is this machine (loopback) and PUBLIC_URL of the settings the command runs with. Nothing else is guessed: a name in
DNS, an address of a private network or a look at what answers proves nothing about whose it is.
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
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """How people write it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine. Names other than `localhost` are not looked up: they may lead anywhere tomorrow."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def tls(self) -> ssl.SSLContext | None:
        """How its certificate is checked: by the system's authorities, or those of SSL_CERT_FILE; None over plain HTTP."""
        return ssl.create_default_context() if self.scheme == "https" else None


def parse(url: str) -> Target:
    """The target that a URL names. Raises ValueError for one with a path, or with no host."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError(f"{url} is not the address of a deployment: write it as https://vote.example.org")
    return Target(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])


def check_is_own(target: Target, *, public_url: str | None, owned: str | None) -> None:
    """Raises ValueError unless it is loopback, PUBLIC_URL, or what was named a second time."""
    named = [parse_origin(url) for url in (public_url, owned) if url]
    if not target.is_loopback and target not in named:
        raise ValueError(
            f"{target.url} is not known to be yours: it is neither this machine nor PUBLIC_URL. Load on somebody else's"
            f" service is an attack. If it is yours, say so: --i-own-this-target {target.url}"
        )


def parse_origin(url: str) -> Target:
    """The target of a URL, whatever its path."""
    parts = urlsplit(url)
    return parse(f"{parts.scheme}://{parts.netloc}")
