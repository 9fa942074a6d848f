"""Answers `/static/…` from memory, in the front door: no thread, no file, no Flask.

A name that holds the right hash never changes its content, so it may be kept for a year. Any other name of a file that
exists is answered with the present file and kept by nobody: a cache that took it would serve a version under another's
name for a year.
"""

from vote.server.content_encoding import best_coding
from vote.server.raw_response import Scope, Send, send_response
from vote.web.assets import PREFIX, Asset, assets

IMMUTABLE = b"public, max-age=31536000, immutable"
NOT_KEPT = b"no-store"
VARY = (b"vary", b"Accept-Encoding")


class StaticFiles:
    """The static files of one process."""

    def __init__(self) -> None:
        self._assets = assets()

    def serves(self, path: str) -> bool:
        """Whether this is the address of one of these files; what is not there is left to the pages, which say so."""
        return path.startswith(PREFIX) and self._assets.find(path) is not None

    async def __call__(self, scope: Scope, send: Send) -> None:
        """The file, as small as the client takes it."""
        found = self._assets.find(scope["path"])
        assert found is not None, "asked for what is not served"
        asset, is_exact = found
        body, coding = _as_accepted(asset, scope)
        headers = [VARY, (b"content-encoding", coding.encode("ascii"))] if coding else [VARY]
        await send_response(
            send,
            200,
            body,
            content_type=asset.content_type,
            headers=headers,
            cache_control=IMMUTABLE if is_exact else NOT_KEPT,
        )


def _as_accepted(asset: Asset, scope: Scope) -> tuple[bytes, str | None]:
    accepted = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"accept-encoding")
    coding = best_coding(accepted)
    if coding is None or coding not in asset.compressed:
        return asset.body, None
    return asset.compressed[coding], coding
