"""Secrets an installation makes for itself: one file each, mode 0600, written once and whole."""

import os
import secrets
from pathlib import Path

SECRET_BYTES = 32


def kept_secret(path: Path, *, size: int = SECRET_BYTES) -> str:
    """The secret in `path`; made, and on disk before it is returned, when there is none.

    Its characters need no quoting in URLs. Two processes must not make the same one at the same time: hold the lock.
    """
    if not path.exists():
        write_private(path, secrets.token_urlsafe(size) + "\n")
    return path.read_text(encoding="ascii").strip()


def write_private(path: Path, text: str) -> None:
    """Write `path` so that after a crash it has all of `text` or is not there, and only we can read it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name is durable too
    finally:
        os.close(folder)
