"""Whether what travels to a store or a mail server stays on this machine, or goes over TLS that checks who answers."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

# What libpq takes from the environment where a URL does not say it (PostgreSQL, "Environment Variables" of libpq).
LIBPQ_NAMES = {"host": "PGHOST", "hostaddr": "PGHOSTADDR", "sslmode": "PGSSLMODE", "service": "PGSERVICE"}
UNGUARDED = (
    "goes over the network without sslmode=verify-full (and sslrootcert=…, the CA): refused in production, where nobody may"
    " read or change what passes. A unix socket or loopback needs neither"
)
SERVICE = (
    "takes its address from a service file (service=, or PGSERVICE): refused in production, where the address and"
    " sslmode=verify-full must stand in the URL itself"
)


def postgres_weakness(url: str, environ: Mapping[str, str]) -> str | None:
    """Return why this URL is not safe on a network, to be read after its name; None when it is.

    Safe is: every address is a unix socket or loopback, or TLS checks both certificate and name. Looked at is what libpq
    will do: what the URL leaves open comes from the environment, and PGHOSTADDR there outdoes a host name here.
    """
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        return "is not a URL that PostgreSQL understands"
    found = {name: str(given.get(name) or environ.get(variable) or "") for name, variable in LIBPQ_NAMES.items()}
    if found["service"]:
        return SERVICE
    if found["sslmode"] == "verify-full":
        return None
    hosts = [*found["host"].split(","), *found["hostaddr"].split(",")]
    return None if all(is_local(host) for host in hosts) else UNGUARDED


def redis_is_guarded(url: str) -> bool:
    """The same for Redis; redis-py checks certificate and name unless the URL says otherwise."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return True
    if parts.scheme in ("rediss", "rediss+sentinel"):
        asked = parse_qs(parts.query)
        checks_name = asked.get("ssl_check_hostname", ["true"])[0].lower() in ("true", "yes", "1")
        return checks_name and asked.get("ssl_cert_reqs", ["required"])[0] == "required"
    addresses = parts.netloc.rpartition("@")[2].split(",")
    return all(is_local(urlsplit(f"//{address}").hostname or "") for address in addresses)


def is_local(host: str) -> bool:
    """A unix socket (an absolute path, `@` for an abstract one, or nothing) or loopback."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def takes_smtputf8(smtp_url: str | None) -> bool:
    """Return whether SMTP_URL says that its server takes addresses beyond ASCII: `?smtputf8=on` (RFC 6531)."""
    return smtp_url is not None and parse_qs(urlsplit(smtp_url).query).get("smtputf8") == ["on"]
