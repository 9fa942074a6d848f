"""Check whether traffic to a store or mail server stays on this machine or uses verified TLS."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

# What libpq takes from the environment where a URL does not say it (PostgreSQL, "Environment Variables" of libpq).
LIBPQ_NAMES = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "sslmode": "PGSSLMODE", "service": "PGSERVICE"}
UNGUARDED = (
    "goes over the network without sslmode=verify-full (and sslrootcert=…, the CA): refused in production, as others could"
    " read or change the traffic. A unix socket or loopback needs neither"
)
SERVICE = (
    "takes its address from a service file (service=, or PGSERVICE): refused in production. Put the address and"
    " sslmode=verify-full into the URL itself"
)


def postgres_weakness(url: str, environ: Mapping[str, str]) -> str | None:
    """Return why this URL is not safe on a network, to be read after its name; None when it is.

    It is safe when every address is a unix socket or loopback, or TLS verifies certificate and host name. This follows
    libpq: what the URL omits comes from the environment, and PGHOSTADDR there overrides a host name here.
    """
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        return "is not a URL that PostgreSQL understands"
    effective = {name: str(given.get(name) or environ.get(variable) or "") for name, variable in LIBPQ_NAMES.items()}
    if effective["service"]:
        return SERVICE
    if effective["sslmode"] == "verify-full":
        return None
    hosts = [*effective["host"].split(","), *effective["hostaddr"].split(",")]
    return None if all(is_local(host) for host in hosts) else UNGUARDED


def redis_is_guarded(url: str) -> bool:
    """Return whether a Redis URL is safe on a network; redis-py verifies certificate and name unless the URL disables it."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return True
    if parts.scheme in ("rediss", "rediss+sentinel"):
        options = parse_qs(parts.query)
        checks_name = options.get("ssl_check_hostname", ["true"])[0].lower() in ("true", "yes", "1")
        return checks_name and options.get("ssl_cert_reqs", ["required"])[0] == "required"
    addresses = parts.netloc.rpartition("@")[2].split(",")
    return all(is_local(urlsplit(f"//{address}").hostname or "") for address in addresses)


def is_local(host: str) -> bool:
    """Return whether the host is a unix socket (an absolute path, `@` for an abstract one, or nothing) or loopback."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def takes_smtputf8(smtp_url: str | None) -> bool:
    """Return whether SMTP_URL declares that its server accepts addresses beyond ASCII: `?smtputf8=on` (RFC 6531)."""
    return smtp_url is not None and parse_qs(urlsplit(smtp_url).query).get("smtputf8") == ["on"]
