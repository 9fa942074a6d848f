"""The id of a request, and that of the ballot it casts.

One of our own proxies may name the request (`X-Request-Id`), so that its line and ours can be joined; nobody else may. The
ballot's id begins with the first half of the request's, so that each leads to the other in lines, log and journal; its
second half is always random. R4 takes a second ballot with the same id for the same ballot, and a proxy may send a request
twice, or pass on an id that a client made up (docs/adr/0049).
"""

import re
import secrets
from collections.abc import MutableMapping, Sequence
from typing import Any

HEADER = b"x-request-id"
REQUEST_ID, BALLOT_ID = "request_id", "ballot_id"  # keys of the ASGI scope
HALF = 16  # digits

_AS_NGINX_WRITES = re.compile(rb"[0-9a-f]{32}")
# And as a UUID (Envoy, load balancers of clouds).
_GIVEN = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def identify(scope: MutableMapping[str, Any], *, is_from_proxy: bool) -> str:
    """Give a request its ids, and its only `X-Request-Id` header. Returns the request's id: 32 hexadecimal digits."""
    own, headers = secrets.token_hex(HALF), scope["headers"]
    request_id = ballot_id = own
    if is_from_proxy and (given := _given(headers)) is not None:
        request_id, ballot_id = given, given[:HALF] + own[HALF:]
    scope[REQUEST_ID], scope[BALLOT_ID] = request_id, ballot_id
    # WSGI cannot tell `X_Request_Id` from `X-Request-Id`, so drop names with an underscore, as nginx does.
    others = [header for header in headers if header[0] != HEADER and b"_" not in header[0]]
    scope["headers"] = [*others, (HEADER, request_id.encode("ascii"))]
    return request_id


def parse(text: bytes) -> str | None:
    """Return an id as 32 hexadecimal digits; None for anything else."""
    if _AS_NGINX_WRITES.fullmatch(text):
        return text.decode("ascii")
    text = text.strip().lower()
    return text.replace(b"-", b"").decode("ascii") if _GIVEN.fullmatch(text) else None


def _given(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return the id that a proxy gave. Of two, one may be a client's: then none counts."""
    values = [value for name, value in headers if name == HEADER]
    return parse(values[0]) if len(values) == 1 else None
