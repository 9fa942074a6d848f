"""Choose a content coding that the client accepts (RFC 9110 §12.5.3): Brotli, else gzip, else none."""

from functools import lru_cache
from typing import Literal

from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

Coding = Literal["br", "gzip"]

CODINGS: tuple[Coding, ...] = ("br", "gzip")  # smallest result first


@lru_cache(maxsize=512)  # browsers send a handful of different values
def best_coding(accept_encoding: str) -> Coding | None:
    """Return the coding to answer with; None when the client accepts none of ours."""
    accepted = parse_accept_header(accept_encoding, Accept)
    best = max(CODINGS, key=accepted.quality)  # max() keeps the first of equals
    return best if accepted.quality(best) > 0 else None
