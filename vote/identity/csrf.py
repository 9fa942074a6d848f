"""Where does a request come from: a browser or another client, our own page or a stranger's.

The rule for requests that change something and rest on a cookie (after Go's CrossOriginProtection and OWASP): fetch
metadata first, then Origin; and a token bound to the session in every form. A Bearer token cannot be sent by a stranger's
page, and a client without Cookie, Origin and Sec-Fetch-* is no browser: neither needs a token.
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
    """The headers of an ASGI request by name; of one that is sent twice the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}.get


def is_browser(header: Header) -> bool:
    """Whether the client behaves like a browser; `header` gives a header by its lower-case name, or None."""
    for name in BROWSER_HEADERS:  # noqa: SIM110  # `any` with a generator takes three times as long
        if header(name) is not None:
            return True
    return False


def keys_of(settings: Settings) -> Sequence[bytes]:
    """Keys of CSRF tokens, newest first."""
    both = (settings.flask_secret_key, settings.flask_secret_key_previous)
    return [hmac.digest(key.encode("utf-8"), b"csrf", "sha256") for key in both if key]


def csrf_token(key: bytes, sid: str) -> str:
    """A token of a session, for its forms: an HMAC of the sid, so there is nothing to store.

    It is written as a random mask and the HMAC under that mask, each time another: in a compressed page the same letters
    twice would let somebody guess them by the length of the page (BREACH).
    """
    mask = secrets.token_bytes(MAC_BYTES)
    return (mask + _xor(mask, mac(key, sid.encode("utf-8")))).hex()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(MAC_BYTES)


def check_same_origin(header: Header, *, allowed_hosts: Sequence[str]) -> None:
    """Raises ForgedForm when a browser says that another site sends this request."""
    site = header("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForgedForm
        return
    origin = header("origin")
    ours = {f"{scheme}://{host}" for host in allowed_hosts for scheme in ("http", "https")}
    if origin is not None and origin.lower() not in ours:  # compared as text: what cannot be parsed is not ours
        raise ForgedForm


def check_csrf(keys: Sequence[bytes], sid: str | None, given: str | None) -> None:
    """Raises ForgedForm unless the token is one of this session."""
    if not sid or not given or not TOKEN.fullmatch(given):
        raise ForgedForm
    both = bytes.fromhex(given)
    shown, asked = _xor(both[:MAC_BYTES], both[MAC_BYTES:]), sid.encode("utf-8")
    if not any(hmac.compare_digest(mac(key, asked), shown) for key in keys):
        raise ForgedForm


def allowed_hosts(settings: Settings, host: str | None) -> list[str]:
    """Hosts whose pages are ours: the one asked for, and PUBLIC_URL's."""
    public = urlsplit(settings.public_url).netloc if settings.public_url else ""
    return [name.lower() for name in (host, public) if name]
