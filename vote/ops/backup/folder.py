"""The files of backups.

BACKUP_FOLDER/                      0700, by default VOTE_HOME/backups
  base/<label>/base.tar.gz.age      the data folder at one moment
               manifest.age         its description; `manifest.json` is a plain copy for people and listings
  wal/<system>/<segment>.gz.age     sealed WAL, a folder per database system
  wal/<system>/stream/              the segment being written, in plain form, as it is in the database too
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vote.config import Settings
from vote.errors import ConfigError
from vote.ops.embedded.disk import sync_names
from vote.ops.embedded.home import locked

LABEL = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
BASE, SEALED_MANIFEST, PLAIN_MANIFEST = "base.tar.gz.age", "manifest.age", "manifest.json"
UNFINISHED = ".new"


class Folder(NamedTuple):
    """BACKUP_FOLDER and its paths."""

    path: Path

    @classmethod
    def from_settings(cls, settings: Settings) -> "Folder":
        """Return the folder of these settings; creates nothing."""
        return cls((settings.backup_folder or settings.vote_home / "backups").absolute())

    @property
    def base(self) -> Path:
        """Return the folder of base backups."""
        return self.path / "base"

    def backup(self, label: str) -> Path:
        """Return the folder of a backup. Raises ConfigError for an invalid label."""
        if not LABEL.fullmatch(label):
            raise ConfigError(f"{label!r} is not a backup label. List them with `vote backup list`.")
        return self.base / label

    def wal(self, system: str) -> Path:
        """Return the folder of a database system's sealed WAL."""
        return self.path / "wal" / system

    def stream(self, system: str) -> Path:
        """Return the folder that a database system's stream writes to."""
        return self.wal(system) / "stream"

    def labels(self) -> list[str]:
        """Return the labels of complete backups, newest first."""
        return sorted((folder.name for folder in self.base.glob("*") if LABEL.fullmatch(folder.name)), reverse=True)

    @contextlib.contextmanager
    def being_written(self) -> Iterator[None]:
        """Hold the lock for making, verifying and removing backups; remove what a crash left unfinished. Raises ConfigError
        if taken.
        """
        private_folders(self.path, self.base)
        with locked(self.base):
            for left in self.base.glob("*" + UNFINISHED):
                shutil.rmtree(left)
            yield

    def remove(self, label: str) -> None:
        """Remove a backup; if a crash interrupts this, it no longer counts as a backup."""
        gone = self.backup(label).rename(self.base / (label + UNFINISHED))
        sync_names(self.base)
        shutil.rmtree(gone)


def private_folders(*folders: Path) -> None:
    """Create folders that only we can enter. Raises ConfigError when that fails."""
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise ConfigError(
                f"{folder} cannot be used for backups: {error.strerror}. Set BACKUP_FOLDER to a folder you own."
            ) from error
