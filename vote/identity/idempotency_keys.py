"""Idempotency keys of forms: random, new for every rendered form, and signed for one browser session.

A key from another browser is therefore refused without asking the database. Only a hash is stored
(`db/idempotency_keys.py`). What the first submission gave the browser (a session id, a device token) is derived from the
key and our secret: a repeat gets the same, and none of it is stored.
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
    """Return the keys that sign idempotency keys, newest first."""
    return [hmac.digest(key.encode("utf-8"), b"idempotency", "sha256") for key in settings.flask_secret_keys]


def new_key(signing_key: bytes, sid: str) -> str:
    """Return a key for one form of a session."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return (nonce + _mac(signing_key, sid, nonce)).hex()


def check(signing_keys: Sequence[bytes], sid: str, given: str) -> None:
    """Raise ForgedForm unless the key was made for this session."""
    if not KEY.fullmatch(given):
        raise ForgedForm
    nonce, signature = bytes.fromhex(given)[:NONCE_BYTES], bytes.fromhex(given)[NONCE_BYTES:]
    if not any(hmac.compare_digest(_mac(key, sid, nonce), signature) for key in signing_keys):
        raise ForgedForm


def hash_of(route: str, given: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the SHA-256 under which a submission is stored. It covers route, key and fields: a corrected form is a new
    submission.

    Nobody can recover the fields by guessing: the key is random and not stored.
    """
    text = json.dumps([route, given, sorted(fields)])
    return hashlib.sha256(text.encode("ascii")).digest()


def derived(signing_key: bytes, purpose: str, key_hash: bytes, began: datetime) -> str:
    """Return a random-looking string as long as a sid, the same for every repeat of the submission that began at `began`."""
    text = f"{purpose}\0{key_hash.hex()}\0{began.astimezone(UTC).isoformat()}"
    return base64.urlsafe_b64encode(mac(signing_key, text.encode())[:DERIVED_BYTES]).rstrip(b"=").decode("ascii")


def _mac(signing_key: bytes, sid: str, nonce: bytes) -> bytes:
    return mac(signing_key, sid.encode("utf-8") + b"\0" + nonce)[:MAC_BYTES]
