"""Pages are compressed on their way out, where that tells nobody anything (docs/adr/0025).

BREACH (CVE-2013-3587): who can see the length of an answer and put text of their own into it finds out what else stands
there, letter by letter. So a page is compressed only when its request carried no text of the client's, neither a query
nor a body; and the secret every form holds, its CSRF token, is written differently each time (`identity/csrf.py`).
"""

import gzip

import brotli  # type: ignore[import-untyped]
from flask import Response, request

from vote.server.content_encoding import Coding, best_coding

LEVELS: dict[Coding, int] = {"br": 4, "gzip": 5}  # a page takes a tenth of a millisecond; more gains a few bytes
SMALLEST_BYTES = 500  # below, an answer fits one packet in any case


def compress(response: Response) -> Response:
    """Compress a page for whoever takes it. For Flask's `after_request`; everything but pages passes as it is."""
    if response.mimetype != "text/html":
        return response
    response.vary.add("Accept-Encoding")
    coding = best_coding(request.headers.get("Accept-Encoding", ""))
    if coding and _tells_nothing() and response.status_code == 200:
        body = response.get_data()
        if len(body) >= SMALLEST_BYTES:
            response.set_data(_compressed(body, coding))
            response.headers["Content-Encoding"] = coding
    return response


def _tells_nothing() -> bool:
    """Whether nothing that the client sent can stand in the page."""
    return request.method in ("GET", "HEAD") and not request.query_string


def _compressed(body: bytes, coding: Coding) -> bytes:
    if coding == "br":
        return bytes(brotli.compress(body, mode=brotli.MODE_TEXT, quality=LEVELS["br"]))
    return gzip.compress(body, LEVELS["gzip"], mtime=0)
