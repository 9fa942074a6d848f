"""HMAC-SHA256 (RFC 2104) under keys that are used again and again: tokens, cookies, forms, receipts.

To take up a key costs as much as the rest, so the beginning of it is kept, and copied for each message.
"""

import hmac
from functools import lru_cache

KEYS_MAX = 1_024  # those of this installation, and a receipt key for each competition that people vote in


def mac(key: bytes, message: bytes) -> bytes:
    """32 bytes that nobody can compute without the key; the same as `hmac.digest(key, message, "sha256")`."""
    begun = _begun(key).copy()
    begun.update(message)
    return begun.digest()


@lru_cache(maxsize=KEYS_MAX)
def _begun(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
