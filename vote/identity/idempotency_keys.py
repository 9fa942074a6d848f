"""The idempotency key in a form: random, written anew each time a form is, and signed for one browser session.

So a key of another browser's is known without a look at the database. What is kept is a hash
(`db/idempotency_keys.py`). What the first press gave the browser, a session's name or a device's token, can be made of
the key again with our own secret: the second press is given the same, and none of it is stored.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from vote.config import Settings
from vote.errors import ForgedForm
from vote.mac import mac

FIELD = "idempotency_key"
NONCE_BYTES = 16
MAC_BYTES = 16
KEY = re.compile(rf"[0-9a-f]{{{2 * (NONCE_BYTES + MAC_BYTES)}}}", re.ASCII)
DERIVED_BYTES = 16


def keys_of(settings: Settings) -> Sequence[bytes]:
    """Keys that sign them, newest first."""
    both = (settings.flask_secret_key, settings.flask_secret_key_previous)
    return [hmac.digest(key.encode("utf-8"), b"idempotency", "sha256") for key in both if key]


def new_key(signing_key: bytes, sid: str) -> str:
    """A key for one form of a session."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return (nonce + _mac(signing_key, sid, nonce)).hex()


def check(signing_keys: Sequence[bytes], sid: str, given: str) -> None:
    """Raises ForgedForm unless the key was made for this session."""
    if not KEY.fullmatch(given):
        raise ForgedForm
    nonce, signature = bytes.fromhex(given)[:NONCE_BYTES], bytes.fromhex(given)[NONCE_BYTES:]
    if not any(hmac.compare_digest(_mac(key, sid, nonce), signature) for key in signing_keys):
        raise ForgedForm


def hash_of(route: str, given: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """How a press is kept: by its route, its key and what was typed, so that a form which was corrected is another press.

    Nobody can find what was typed by trying: the key is random and kept nowhere.
    """
    text = json.dumps([route, given, sorted(fields)])
    return hashlib.sha256(text.encode("ascii")).digest()


def derived(signing_key: bytes, purpose: str, key_hash: bytes, began: datetime) -> str:
    """A random-looking name for what the press of `began` is given, the same each time; as long as a sid."""
    text = f"{purpose}\0{key_hash.hex()}\0{began.astimezone(UTC).isoformat()}"
    return base64.urlsafe_b64encode(mac(signing_key, text.encode())[:DERIVED_BYTES]).rstrip(b"=").decode("ascii")


def _mac(signing_key: bytes, sid: str, nonce: bytes) -> bytes:
    return mac(signing_key, sid.encode("utf-8") + b"\0" + nonce)[:MAC_BYTES]
