"""Secrets an installation makes for itself: one file each, mode 0600, written once and whole."""

import secrets
from pathlib import Path

from vote.ops.embedded.disk import write_private

SECRET_BYTES = 32


def kept_secret(path: Path, *, size: int = SECRET_BYTES) -> str:
    """The secret in `path`; made, and on disk before it is returned, when there is none.

    Its characters need no quoting in URLs. Two processes must not make the same one at the same time: hold the lock.
    """
    if not path.exists():
        write_private(path, secrets.token_urlsafe(size) + "\n")
    return path.read_text(encoding="ascii").strip()
