"""Read and write session cookies of plain values (text, numbers, booleans) fast; ours hold nothing else.

itsdangerous with Flask's tagged JSON takes ten times as long: half the cost of a vote with a session. The format is theirs
(itsdangerous 2: payload, time and HMAC in base64url, joined by dots; a leading dot marks a zlib-compressed payload), and
anything that is not plain is left to them. One table of forged cookies is run against both.
"""

import base64
import binascii
import hmac
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from vote.mac import mac

SALT = b"cookie-session"  # Flask's salt for session cookies
UNPACKED_MAX_BYTES = 4096  # the most that a browser keeps of a cookie
SIGNED_BEFORE_S = 2  # two web hosts may each be a second off PostgreSQL's clock, in opposite directions
PLAIN = (str, int, float, bool)


class SessionCodec:
    """Verify with any of the keys (newest first), sign with the first."""

    def __init__(self, keys: Sequence[str], *, max_age_s: int) -> None:
        self._keys = [hmac.digest(key.encode("utf-8"), SALT, "sha256") for key in keys]
        self._max_age_s = max_age_s

    def read(self, value: str) -> dict[str, Any] | None:
        """Return the session, or None when it needs the slow reader, which also decides whether it is forged or expired."""
        signed, _, signature = value.encode("utf-8").rpartition(b".")
        payload, _, stamp = signed.rpartition(b".")
        if not payload or not any(hmac.compare_digest(_signature(key, signed), signature) for key in self._keys):
            return None
        try:
            age_s = int(time.time()) - int.from_bytes(_decoded(stamp))
            session = orjson.loads(_unpacked(payload))
        except (binascii.Error, zlib.error, ValueError):
            return None
        is_valid = 0 <= age_s <= self._max_age_s and isinstance(session, dict) and _is_plain(session)
        return session if is_valid else None

    def write(self, session: Mapping[str, Any]) -> str | None:
        """Return the cookie's value, or None when the session holds a value that is not plain."""
        if not _is_plain(session):
            return None
        now = int(time.time()) - SIGNED_BEFORE_S
        stamp = now.to_bytes((now.bit_length() + 7) // 8)
        signed = b"%b.%b" % (_encoded(orjson.dumps(session)), _encoded(stamp))
        return (b"%b.%b" % (signed, _signature(self._keys[0], signed))).decode("ascii")


def _signature(key: bytes, signed: bytes) -> bytes:
    return _encoded(mac(key, signed))


def _unpacked(payload: bytes) -> bytes:
    if not payload.startswith(b"."):
        return _decoded(payload)
    decompressor = zlib.decompressobj()
    text = decompressor.decompress(_decoded(payload[1:]), UNPACKED_MAX_BYTES)
    return text if decompressor.eof else b""


def _is_plain(session: Mapping[str, Any]) -> bool:
    """Return whether all values are plain. A single key could be one of Flask's tags."""
    return len(session) > 1 and all(type(value) in PLAIN for value in session.values())


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
