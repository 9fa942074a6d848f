"""What production refuses at start: one table, a row per rule. `config.load` asks it, of settings right in themselves.

A reason names the setting and says why, never the value. All reasons are said at once. On a laptop none of this holds.
"""

import ipaddress
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from vote import secret_strength, transport_security

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Environ = Mapping[str, str]

HOW_TO_MAKE_ONE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
SIGNING_SECRETS = ("FLASK_SECRET_KEY", "FLASK_SECRET_KEY_PREVIOUS", "JWT_SECRET", "JWT_SECRET_PREVIOUS")
OTHER_SECRETS = ("BACKUP_IDENTITY", "CHECKPOINT_KEY", "SMTP_URL")
SECRET_FILES = tuple(f"{name}_FILE" for name in (*SIGNING_SECRETS, *OTHER_SECRETS))
POSTGRES_URLS = (
    "DATABASE_URL",
    "DATABASE_URL_WEB",
    "DATABASE_URL_WORKER",
    "DATABASE_URL_REPORTS",
    "DATABASE_URL_BACKUP",
    "DATABASE_REPLICA_URL",
)
REDIS_URLS = ("REDIS_URL", "BALLOT_LOG_URL")

# Networks of an organisation's own, however wide (RFC 1918, 6598, 3927, 4193, 4291), and how wide one of other people's may
# be: the proxies of the largest CDNs stand in networks of /13 and /28.
OWN_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
WIDEST_PREFIX = {4: 12, 6: 24}

# Names that Flask, Werkzeug and Python read by themselves, and that open what is only for who writes the code.
DEBUG_NAMES = ("FLASK_DEBUG", "FLASK_ENV", "PYTHONASYNCIODEBUG", "PYTHONINSPECT")
NO_DEBUG = {"FLASK_ENV": ("production",)}
OFF = ("", "0", "false", "no", "off")


class Given(Protocol):
    """What the rules look at; `Settings` of `config.py` has it."""

    @property
    def vote_cookie_secure(self) -> bool:
        """VOTE_COOKIE_SECURE."""

    @property
    def public_url(self) -> str | None:
        """PUBLIC_URL."""

    @property
    def static_url(self) -> str:
        """STATIC_URL."""

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """CORS_ORIGINS."""

    @property
    def smtp_url(self) -> str | None:
        """SMTP_URL."""

    @property
    def email_confirmation(self) -> bool:
        """EMAIL_CONFIRMATION."""

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """TRUSTED_PROXIES."""

    @property
    def admin_networks(self) -> tuple[Network, ...]:
        """ADMIN_NETWORKS."""

    @property
    def metrics_networks(self) -> tuple[Network, ...]:
        """METRICS_NETWORKS."""


class ProductionRule(NamedTuple):
    """One row: which settings it is about, and the reasons it has against them."""

    settings: tuple[str, ...]
    reasons: Callable[[Given, Environ], Iterator[str]]


def refusals(given: Given, environ: Environ) -> list[str]:
    """Return every reason not to start with these settings in production. `environ` is what they were read from."""
    return [reason for rule in RULES for reason in rule.reasons(given, environ)]


def _cookies(given: Given, _: Environ) -> Iterator[str]:
    if not given.vote_cookie_secure:
        yield "VOTE_COOKIE_SECURE=off is refused in production: cookies would travel in the clear"


def _addresses(given: Given, _: Environ) -> Iterator[str]:
    if (given.public_url or "").startswith("http://"):
        yield (
            "PUBLIC_URL must begin with https:// in production: links in mails lead there, and its pages may send forms"
            " here; anybody on the way could be that page"
        )
    if given.static_url.startswith("http://"):
        yield "STATIC_URL must begin with https:// in production: scripts may not travel in the clear"
    if any(not origin.startswith("https://") for origin in given.cors_origins):
        yield "CORS_ORIGINS with http:// is refused in production: anybody on the way could be that page"


def _mail(given: Given, _: Environ) -> Iterator[str]:
    if given.email_confirmation and given.smtp_url is None:
        yield "EMAIL_CONFIRMATION=on needs SMTP_URL: nobody could confirm anything"


def _secrets(given: Given, _: Environ) -> Iterator[str]:
    for name in SIGNING_SECRETS:
        secret = getattr(given, name.lower())
        if secret and (reason := secret_strength.weakness(secret)):
            yield f"{name} {reason}: refused in production. Make one with: {HOW_TO_MAKE_ONE}"


def _secret_files(_: Given, environ: Environ) -> Iterator[str]:
    """Read by others they may be: containers mount secrets so, where there are no others."""
    for name in SECRET_FILES:
        path = environ.get(name)
        if path and Path(path).stat().st_mode & stat.S_IWOTH:
            yield f"{name} names a file that everybody may write: refused in production, for others would choose the key"


def _postgres(given: Given, environ: Environ) -> Iterator[str]:
    for name in POSTGRES_URLS:
        url = getattr(given, name.lower())
        if url and (reason := transport_security.postgres_weakness(url, environ)):
            yield f"{name} {reason}"


def _redis(given: Given, _: Environ) -> Iterator[str]:
    for name in REDIS_URLS:
        url = getattr(given, name.lower())
        if url and not transport_security.redis_is_guarded(url):
            yield (
                f"{name} goes over the network without TLS that checks certificate and host name (rediss:// or"
                " rediss+sentinel://): refused in production. A unix socket or loopback needs no TLS"
            )


def _proxies(given: Given, _: Environ) -> Iterator[str]:
    if any(is_too_wide(network) for network in given.trusted_proxies):
        yield (
            "TRUSTED_PROXIES holds a network so wide that strangers stand in it: refused in production, where what they"
            " write into X-Forwarded-For would be believed. Name the networks of your own proxies alone"
        )


def _networks(given: Given, _: Environ) -> Iterator[str]:
    if any(is_too_wide(network) for network in given.admin_networks):
        yield (
            "ADMIN_NETWORKS holds a network so wide that it keeps nobody out: refused in production. Name your own"
            " networks, or leave it empty when administration may be reached from anywhere"
        )
    if any(is_too_wide(network) for network in given.metrics_networks):
        yield (
            "METRICS_NETWORKS holds a network so wide that strangers stand in it: refused in production. Name the"
            " network of what collects the metrics"
        )


def _debugging(_: Given, environ: Environ) -> Iterator[str]:
    for name in DEBUG_NAMES:
        if environ.get(name, "").lower() not in (*OFF, *NO_DEBUG.get(name, ())):
            yield f"{name} is set: refused in production, where it would show the inside to strangers. Take it out"


RULES = (
    ProductionRule(("VOTE_COOKIE_SECURE",), _cookies),
    ProductionRule(("PUBLIC_URL", "STATIC_URL", "CORS_ORIGINS"), _addresses),
    ProductionRule(("EMAIL_CONFIRMATION",), _mail),
    ProductionRule(SIGNING_SECRETS, _secrets),
    ProductionRule(SECRET_FILES, _secret_files),
    ProductionRule(POSTGRES_URLS, _postgres),
    ProductionRule(REDIS_URLS, _redis),
    ProductionRule(("TRUSTED_PROXIES",), _proxies),
    ProductionRule(("ADMIN_NETWORKS", "METRICS_NETWORKS"), _networks),
    ProductionRule(DEBUG_NAMES, _debugging),
)


def is_too_wide(network: Network) -> bool:
    """Return whether a network is neither an organisation's own nor as narrow as one that is somebody's."""
    if any(network.version == own.version and network.subnet_of(own) for own in OWN_NETWORKS):  # type: ignore[arg-type]
        return False
    return network.prefixlen < WIDEST_PREFIX[network.version]
