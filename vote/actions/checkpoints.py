"""Signs heads of the hash chains of journal and audit log as checkpoints, with Ed25519 (RFC 8032).

A chain reveals a changed row only to someone who knows its head: an intruder with full write access can recompute the
whole chain, but cannot sign it. Only the worker has the private key; the public key is enough to verify.
"""

import base64
import binascii
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from vote.db import checkpoints
from vote.db.checkpoints import Checkpoint, Head
from vote.db.pool import Database
from vote.errors import ConfigError

EVERY_S = 60  # at most one checkpoint per chain in this time
KEY_BYTES = 32
KEY_ID_CHARS = 16
BY = "checkpoints"


class Signer:
    """Signs heads. `text` is an Ed25519 private key: PEM, or its 32 bytes in base64. Raises ConfigError."""

    def __init__(self, text: str) -> None:
        try:
            if "-----BEGIN" in text:
                key = load_pem_private_key(text.encode("ascii"), password=None)
                if not isinstance(key, Ed25519PrivateKey):
                    raise ValueError("another kind of key")
            else:
                key = Ed25519PrivateKey.from_private_bytes(_raw(text))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError("CHECKPOINT_KEY is not an Ed25519 private key, as PEM or 32 bytes in base64.") from error
        self._key = key
        self.public = base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")
        self.key_id = _id_of(key.public_key())

    def sign(self, head: Head, made_at: datetime) -> Checkpoint:
        """Return the head with a signature over its subject, number, chain value and time."""
        return Checkpoint(head, made_at, self.key_id, self._key.sign(signed_text(head, made_at)))


class Verifier:
    """Verifies signatures with one or more public keys, chosen by id: old checkpoints need the keys from before a change."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._keys = {_id_of(key): key for key in map(_public_key, texts)}

    def problem(self, checkpoint: Checkpoint) -> str | None:
        """Return what is wrong with a checkpoint's signature; None when it is valid."""
        key = self._keys.get(checkpoint.key_id)
        if key is None:
            return f"is signed with the key {checkpoint.key_id}, which is not among the given ones"
        try:
            key.verify(checkpoint.signature, signed_text(checkpoint.head, checkpoint.made_at))
        except InvalidSignature:
            return "has a signature that does not fit: the checkpoint was changed or forged"
        return None


def signed_text(head: Head, made_at: datetime) -> bytes:
    """Return the signed bytes, one fact per line. Any change to the format needs another first line."""
    made = made_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"vote-app checkpoint 1\n{head.subject}\n{head.seq}\n{head.chain.hex()}\n{made}\n".encode("ascii")


def make(db: Database, signer: Signer, *, every_s: int = EVERY_S) -> int:
    """Sign the heads that moved, each at most once in `every_s` seconds. Returns how many."""
    with db.transaction(by=BY) as tx:
        if not checkpoints.take_turn(tx):
            return 0
        heads = checkpoints.unsigned_heads(tx, every_s=every_s)
        checkpoints.insert(tx, [signer.sign(head, now) for head, now in heads])
    return len(heads)


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        if "-----BEGIN" in text:
            key = load_pem_public_key(text.encode("ascii"))
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("another kind of key")
            return key
        return Ed25519PublicKey.from_public_bytes(_raw(text))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            "CHECKPOINT_PUBLIC_KEY is not an Ed25519 public key, as PEM or 32 bytes in base64."
            " Print it with: vote verify --public-key"
        ) from error


def _raw(text: str) -> bytes:
    """Decode 32 bytes from base64, of either alphabet, padded or not. Raises ValueError."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(raw) != KEY_BYTES:
        raise ValueError("not 32 bytes")
    return raw


def _id_of(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes_raw()).hexdigest()[:KEY_ID_CHARS]
