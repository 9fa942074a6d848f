"""HMAC-SHA256 (RFC 2104) with repeatedly used keys: for tokens, cookies, forms and receipts.

Setting up a key costs as much as the rest, so the keyed state is cached and copied for each message.
"""

import hmac
from functools import lru_cache

KEYS_MAX = 1_024  # this installation's, and a receipt key for each competition with votes


def mac(key: bytes, message: bytes) -> bytes:
    """Return the 32-byte HMAC; equal to `hmac.digest(key, message, "sha256")`."""
    state = _keyed(key).copy()
    state.update(message)
    return state.digest()


@lru_cache(maxsize=KEYS_MAX)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
