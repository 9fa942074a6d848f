"""Whether what travels to a store or a mail server stays on this machine, or goes over TLS that checks who answers."""

import ipaddress
from urllib.parse import parse_qs, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


def postgres_is_guarded(name: str, url: str) -> bool:
    """Whether every address is a unix socket or loopback, or TLS checks both certificate and name."""
    try:
        found = conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError(f"{name} is not a URL that PostgreSQL understands") from None
    hosts = str(found.get("hostaddr") or found.get("host") or "").split(",")
    return found.get("sslmode") == "verify-full" or all(is_local(host) for host in hosts)


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
