"""Secrets that an installation generates: one file each, mode 0600, written once and atomically."""

import secrets
from pathlib import Path

from vote.ops.embedded.disk import write_private

SECRET_BYTES = 32


def kept_secret(path: Path, *, size: int = SECRET_BYTES) -> str:
    """Return the secret in `path`; if there is none, create it and store it on disk first.

    It needs no quoting in URLs. Hold the lock: two processes must not create the same secret at once.
    """
    if not path.exists():
        write_private(path, secrets.token_urlsafe(size) + "\n")
    return path.read_text(encoding="ascii").strip()
