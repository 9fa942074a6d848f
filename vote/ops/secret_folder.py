"""A folder with a file per secret, for settings that end in `_FILE`: each file 0600 and complete or absent after a crash."""

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from vote.errors import ConfigError
from vote.ops.embedded.disk import sync_names, write_private
from vote.secret_store import PREVIOUS, Secret, StoreError
from vote.secret_store.piecewise import PiecewiseStore


class SecretFolder(PiecewiseStore):
    """The files of one folder, named like the settings."""

    def __init__(self, path: Path) -> None:
        self.path, self.title = path, f"the folder {path}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder (0700) if it is missing, and keep other writers out. Raises ConfigError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read_each(self, names: Collection[str]) -> dict[str, Secret]:
        """Return the secrets whose files are there and not empty."""
        found = {name: _secret_in(self.path / name) for name in names if (self.path / name).exists()}
        return {name: secret for name, secret in found.items() if secret.value}

    def write_one(self, name: str, value: str) -> None:
        """Write a file, with the owner that it or the folder has: a container's user may have to read it. Empty removes it;
        a previous key's is left empty, because Compose starts nothing while a file is missing that it mounts.
        """
        file = self.path / name
        try:
            if not value and not name.endswith(PREVIOUS):
                file.unlink(missing_ok=True)
                sync_names(self.path)
                return
            owner = file if file.exists() else self.path
            user, group = owner.stat().st_uid, owner.stat().st_gid
            write_private(file, value and value + "\n")
            if os.geteuid() == 0:
                os.chown(file, user, group)
        except OSError as error:
            raise StoreError(f"{file} cannot be written: {error.strerror}", is_final=True) from None


def _secret_in(file: Path) -> Secret:
    try:
        text = file.read_text(encoding="utf-8").strip()
        return Secret(text, "", datetime.fromtimestamp(file.stat().st_mtime, UTC))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StoreError(f"{file} cannot be read: {reason}", is_final=True) from None
