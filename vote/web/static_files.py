"""Serves `/static/…` from memory, in the front door: no thread, no file access, no Flask.

A name with the right hash never changes its content, so it may be cached for a year. Any other name of an existing file
gets the current file and must not be cached: a cache would serve one version under another's name for a year.
"""

from vote.server.raw_response import Scope, Send, send_response
from vote.web.assets import Asset
from vote.web.compression import best_coding

IMMUTABLE = b"public, max-age=31536000, immutable"
NOT_KEPT = b"no-store"
VARY = (b"vary", b"Accept-Encoding")


async def send_file(scope: Scope, send: Send, asset: Asset, *, is_exact: bool) -> None:
    """Send the file in the smallest encoding that the client accepts. `is_exact`: requested by its current name."""
    accepted = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding")
    coding, body, headers = best_coding(accepted), asset.body, [VARY]
    if coding is not None and coding in asset.compressed:
        body, headers = asset.compressed[coding], [VARY, (b"content-encoding", coding.encode("ascii"))]
    await send_response(
        send,
        200,
        body,
        content_type=asset.content_type,
        headers=headers,
        cache_control=IMMUTABLE if is_exact else NOT_KEPT,
    )
