"""Settings that production refuses at start: a table with a row per rule, applied by `config.load` to valid settings.

A reason names the setting and the cause, never the value. All reasons are reported at once. In development none applies.
"""

import ipaddress
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from vote import secret_strength, transport_security

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Environ = Mapping[str, str]

HOW_TO_MAKE_ONE = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
SIGNING_SECRETS = ("FLASK_SECRET_KEY", "FLASK_SECRET_KEY_PREVIOUS", "JWT_SECRET", "JWT_SECRET_PREVIOUS")
OTHER_SECRETS = ("BACKUP_IDENTITY", "CHECKPOINT_KEY", "SMTP_URL", "VAULT_SECRET_ID")
POSTGRES_URLS = (
    "DATABASE_URL",
    "DATABASE_URL_WEB",
    "DATABASE_URL_WORKER",
    "DATABASE_URL_REPORTS",
    "DATABASE_URL_BACKUP",
    "DATABASE_REPLICA_URL",
)
REDIS_URLS = ("REDIS_URL", "BALLOT_LOG_URL")
SECRETS = (*SIGNING_SECRETS, *OTHER_SECRETS, *POSTGRES_URLS, *REDIS_URLS)  # a URL holds a password
SECRET_FILES = tuple(f"{name}_FILE" for name in SECRETS)
MANAGER_URLS = ("VAULT_ADDR", "AZURE_KEYVAULT_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER")

# Private networks, of any size (RFC 1918, 6598, 3927, 4193, 4291), and the largest public network to trust: the proxies of
# the largest CDNs are in networks of /13 and /28.
OWN_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
        "fc00::/7", "fe80::/10", "::1/128",
    )
)  # fmt: skip
WIDEST_PREFIX = {4: 12, 6: 24}

# Variables that Flask, Werkzeug and Python read themselves and that enable debugging.
DEBUG_NAMES = ("FLASK_DEBUG", "FLASK_ENV", "PYTHONASYNCIODEBUG", "PYTHONINSPECT")
NO_DEBUG = {"FLASK_ENV": ("production",)}
OFF = ("", "0", "false", "no", "off")


class Given(Protocol):
    """The attributes of `Settings` (`config.py`) that the rules read."""

    @property
    def vote_cookie_secure(self) -> bool:
        """Return VOTE_COOKIE_SECURE."""

    @property
    def public_url(self) -> str | None:
        """Return PUBLIC_URL."""

    @property
    def static_url(self) -> str:
        """Return STATIC_URL."""

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Return CORS_ORIGINS."""

    @property
    def smtp_url(self) -> str | None:
        """Return SMTP_URL."""

    @property
    def email_confirmation(self) -> bool:
        """Return EMAIL_CONFIRMATION."""

    @property
    def trusted_proxies(self) -> tuple[Network, ...]:
        """Return TRUSTED_PROXIES."""

    @property
    def admin_networks(self) -> tuple[Network, ...]:
        """Return ADMIN_NETWORKS."""

    @property
    def log_queries(self) -> bool:
        """Return LOG_QUERIES."""

    @property
    def metrics_networks(self) -> tuple[Network, ...]:
        """Return METRICS_NETWORKS."""


class ProductionRule(NamedTuple):
    """A row: the settings it checks, and a function that yields the reasons against them."""

    settings: tuple[str, ...]
    reasons: Callable[[Given, Environ], Iterator[str]]


def refusals(given: Given, environ: Environ) -> list[str]:
    """Return every reason not to start in production with these settings. `environ` is what they were read from."""
    return [reason for rule in RULES for reason in rule.reasons(given, environ)]


def _cookies(given: Given, _: Environ) -> Iterator[str]:
    if not given.vote_cookie_secure:
        yield "VOTE_COOKIE_SECURE=off is refused in production: cookies would be sent unencrypted"


def _addresses(given: Given, _: Environ) -> Iterator[str]:
    if (given.public_url or "").startswith("http://"):
        yield (
            "PUBLIC_URL must begin with https:// in production: mails link to it and its pages may submit forms, so an"
            " attacker on the network could pose as it"
        )
    if given.static_url.startswith("http://"):
        yield "STATIC_URL must begin with https:// in production: scripts must not be sent unencrypted"
    if any(not origin.startswith("https://") for origin in given.cors_origins):
        yield "CORS_ORIGINS with http:// is refused in production: an attacker on the network could pose as that page"


def _mail(given: Given, _: Environ) -> Iterator[str]:
    if given.email_confirmation and given.smtp_url is None:
        yield "EMAIL_CONFIRMATION=on needs SMTP_URL: without it, no confirmation mail can be sent"


def _secrets(given: Given, _: Environ) -> Iterator[str]:
    for name in SIGNING_SECRETS:
        secret = getattr(given, name.lower())
        if secret and (reason := secret_strength.weakness(secret)):
            yield f"{name} {reason}: refused in production. Make one with: {HOW_TO_MAKE_ONE}"


def _secret_files(_: Given, environ: Environ) -> Iterator[str]:
    """Refuse secret files that others can write. Files that others can read are fine: containers mount secrets that way."""
    for name in SECRET_FILES:
        path = environ.get(name)
        if path and Path(path).stat().st_mode & stat.S_IWOTH:
            yield f"{name} names a file that everyone may write: refused in production, as others could set the key"


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
                f"{name} goes over the network without verified TLS: refused in production. Use rediss:// or"
                " rediss+sentinel:// with certificate and host name checks; a unix socket or loopback needs no TLS"
            )


def _managers(_: Given, environ: Environ) -> Iterator[str]:
    yield from manager_refusals(environ)


def manager_refusals(environ: Environ) -> Iterator[str]:
    """Yield the reasons not to ask a secret manager; to be checked before its login is sent."""
    for name in MANAGER_URLS:
        address = urlsplit(environ.get(name, ""))
        if address.scheme == "http" and not transport_security.is_local(address.hostname or ""):
            yield f"{name} must begin with https:// in production: secrets and logins would be sent unencrypted"


def _proxies(given: Given, _: Environ) -> Iterator[str]:
    if any(is_too_wide(network) for network in given.trusted_proxies):
        yield (
            "TRUSTED_PROXIES holds a network so wide that it includes strangers: refused in production, as their"
            " X-Forwarded-For would be trusted. Name only the networks of your own proxies"
        )


def _networks(given: Given, _: Environ) -> Iterator[str]:
    if any(is_too_wide(network) for network in given.admin_networks):
        yield (
            "ADMIN_NETWORKS holds a network so wide that it keeps nobody out: refused in production. Name your own"
            " networks, or leave it empty to allow administration from anywhere"
        )
    if any(is_too_wide(network) for network in given.metrics_networks):
        yield (
            "METRICS_NETWORKS holds a network so wide that it includes strangers: refused in production. Name the network"
            " of your metrics collector"
        )


def _queries(given: Given, _: Environ) -> Iterator[str]:
    if given.log_queries:
        yield "LOG_QUERIES=on is refused in production: it writes a line per statement. Slow ones are logged anyway"


def _debugging(_: Given, environ: Environ) -> Iterator[str]:
    for name in DEBUG_NAMES:
        if environ.get(name, "").lower() not in (*OFF, *NO_DEBUG.get(name, ())):
            yield f"{name} is set: refused in production, as it would expose internals. Remove it"


RULES = (
    ProductionRule(("VOTE_COOKIE_SECURE",), _cookies),
    ProductionRule(("PUBLIC_URL", "STATIC_URL", "CORS_ORIGINS"), _addresses),
    ProductionRule(("EMAIL_CONFIRMATION",), _mail),
    ProductionRule(SIGNING_SECRETS, _secrets),
    ProductionRule(SECRET_FILES, _secret_files),
    ProductionRule(POSTGRES_URLS, _postgres),
    ProductionRule(REDIS_URLS, _redis),
    ProductionRule(MANAGER_URLS, _managers),
    ProductionRule(("TRUSTED_PROXIES",), _proxies),
    ProductionRule(("ADMIN_NETWORKS", "METRICS_NETWORKS"), _networks),
    ProductionRule(("LOG_QUERIES",), _queries),
    ProductionRule(DEBUG_NAMES, _debugging),
)


def is_too_wide(network: Network) -> bool:
    """Return whether a network is neither private nor narrow enough to belong to one organisation."""
    if any(network.version == own.version and network.subnet_of(own) for own in OWN_NETWORKS):  # type: ignore[arg-type]
        return False
    return network.prefixlen < WIDEST_PREFIX[network.version]
