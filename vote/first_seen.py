"""When a secret that has no date of its own was first seen, kept in VOTE_HOME: nobody dates a plain environment variable.

The file has two bytes of a keyed hash of each: enough to notice another one, too little to find it by guessing.
"""

import contextlib
import fcntl
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog

FILE = "secrets-seen.json"
KEY_BYTES, DIGEST_BYTES = 16, 2

logger = structlog.get_logger()


def first_seen(home: Path, values: Mapping[str, str]) -> dict[str, float]:
    """Return when each of these secrets, by name, was first seen with this value; now for what is new. Seconds since 1970.

    Where `home` cannot be written, that is now for all, and the log says so.
    """
    now = time.time()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(home / f"{FILE}.lock"):
            kept = _read(home / FILE)
            key, before = bytes.fromhex(kept["key"]), kept["seen"]
            seen = dict(before)
            for name, value in values.items():
                digest = hmac.digest(key, f"{name}\0{value}".encode(), "sha256")[:DIGEST_BYTES].hex()
                if before.get(name, {}).get("digest") != digest:
                    seen[name] = {"digest": digest, "at": now}
            if seen != before:
                _write(home / FILE, {"key": kept["key"], "seen": seen})
        return {name: float(seen[name]["at"]) for name in values}
    except OSError as error:
        logger.warning("secrets not dated", reason=f"VOTE_HOME cannot be written ({error.strerror})")
        return dict.fromkeys(values, now)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return kept
    return {"key": secrets.token_hex(KEY_BYTES), "seen": {}}


def _write(path: Path, kept: Mapping[str, Any]) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(kept, file)
    new.rename(path)
