"""Durable writes: private files that are complete or absent after a crash, and the names of files and folders."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write `path` so that after a crash it holds all of `text` or does not exist. Only we can read it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_names(path.parent)


def sync_names(folder: Path) -> None:
    """Make the names in `folder` durable: syncing a file does not guarantee that its name survives a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
