"""Which content coding a client takes (RFC 9110 §12.5.3): Brotli before gzip before none."""

from functools import lru_cache
from typing import Literal

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

Coding = Literal["br", "gzip"]

CODINGS: tuple[Coding, ...] = ("br", "gzip")  # the smaller one first


@lru_cache(maxsize=512)  # browsers send a handful of different ones
def best_coding(accept_encoding: str) -> Coding | None:
    """The coding to answer with; None for a client that names none we have, or gives it `q=0`."""
    accepted = parse_accept_header(accept_encoding, Accept)
    best = max(CODINGS, key=accepted.quality)  # the first of equals
    return best if accepted.quality(best) > 0 else None
