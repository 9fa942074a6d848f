"""Compresses pages where that reveals nothing (docs/adr/0025).

BREACH (CVE-2013-3587): an attacker who sees the length of an answer and can put text into it can work out what else it
contains, letter by letter. So a page is compressed only if its request had no text from the client, neither query nor
body; and the secret in every form, its CSRF token, is written differently each time (`identity/csrf.py`).
"""

import gzip
from functools import lru_cache
from typing import Literal

import brotli  # type: ignore[import-untyped]
from flask import Response, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

Coding = Literal["br", "gzip"]

CODINGS: tuple[Coding, ...] = ("br", "gzip")  # smallest result first
LEVELS: dict[Coding, int] = {"br": 4, "gzip": 5}  # a page takes a tenth of a millisecond; more gains a few bytes
SMALLEST_BYTES = 500  # below, an answer fits one packet in any case


def compress(response: Response) -> Response:
    """Compress a page if the client accepts that. For Flask's `after_request`; passes everything but pages through."""
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


@lru_cache(maxsize=512)  # browsers send a handful of different values
def best_coding(accept_encoding: str) -> Coding | None:
    """Return the coding to answer with (RFC 9110 §12.5.3); None when the client accepts none of ours."""
    accepted = parse_accept_header(accept_encoding, Accept)
    best = max(CODINGS, key=accepted.quality)  # max() keeps the first of equals
    return best if accepted.quality(best) > 0 else None


def _tells_nothing() -> bool:
    """Return whether the page cannot contain text from the client."""
    return request.method in ("GET", "HEAD") and not request.query_string


def _compressed(body: bytes, coding: Coding) -> bytes:
    if coding == "br":
        return bytes(brotli.compress(body, mode=brotli.MODE_TEXT, quality=LEVELS["br"]))
    return gzip.compress(body, LEVELS["gzip"], mtime=0)
