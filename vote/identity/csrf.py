"""Protect against cross-site request forgery: tell browsers from other clients, and our own pages from other sites.

Requests that change something and rely on a cookie are checked as by Go's CrossOriginProtection and OWASP: fetch metadata
first, then Origin, and in every form a token bound to the session. Another site's page cannot send a bearer token, and a
client without Cookie, Origin and Sec-Fetch-* is no browser: neither needs a token.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from vote.config import Settings
from vote.errors import ForgedForm
from vote.mac import mac

Header = Callable[[str], str | None]

FIELD = "csrf_token"
MAC_BYTES = 32
TOKEN = re.compile(rf"[0-9a-f]{{{4 * MAC_BYTES}}}", re.ASCII)
BROWSER_HEADERS = ("cookie", "origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest")


def header_of(scope: Mapping[str, Any]) -> Header:
    """Return a lookup of an ASGI request's headers by lower-case name. Of a repeated header the last value counts."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}.get


def is_browser(header: Header) -> bool:
    """Return whether the client behaves like a browser. `header` returns a header by its lower-case name, or None."""
    for name in BROWSER_HEADERS:  # noqa: SIM110  # `any` with a generator takes three times as long
        if header(name) is not None:
            return True
    return False


def keys_of(settings: Settings) -> Sequence[bytes]:
    """Return the keys of CSRF tokens, newest first."""
    return [hmac.digest(key.encode("utf-8"), b"csrf", "sha256") for key in settings.flask_secret_keys]


def csrf_token(key: bytes, sid: str) -> str:
    """Return a CSRF token for the forms of a session: an HMAC of the sid, so nothing is stored.

    Each call masks the HMAC anew: if every compressed page held the same characters, an attacker could guess them from the
    page's length (BREACH).
    """
    mask = secrets.token_bytes(MAC_BYTES)
    return (mask + _xor(mask, mac(key, sid.encode("utf-8")))).hex()


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(MAC_BYTES)


def check_same_origin(header: Header, settings: Settings) -> None:
    """Raise ForgedForm when a browser says that another site sends this request."""
    site = header("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForgedForm
        return
    origin, hosts = header("origin"), allowed_hosts(settings, header("host"))
    ours = {f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")}
    if origin is not None and origin.lower() not in ours:  # compared as text: a malformed origin is not ours
        raise ForgedForm


def check_csrf(keys: Sequence[bytes], sid: str | None, given: str | None) -> None:
    """Raise ForgedForm unless the token belongs to this session."""
    if not sid or not given or not TOKEN.fullmatch(given):
        raise ForgedForm
    raw = bytes.fromhex(given)
    signature, message = _xor(raw[:MAC_BYTES], raw[MAC_BYTES:]), sid.encode("utf-8")
    if not any(hmac.compare_digest(mac(key, message), signature) for key in keys):
        raise ForgedForm


def allowed_hosts(settings: Settings, host: str | None) -> list[str]:
    """Return the hosts whose pages are ours: the requested one and PUBLIC_URL's."""
    public = urlsplit(settings.public_url).netloc if settings.public_url else ""
    return [name.lower() for name in (host, public) if name]
