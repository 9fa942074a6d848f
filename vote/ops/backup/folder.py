"""The files of backups, and how they come to be there whole.

BACKUP_FOLDER/                      0700, by default VOTE_HOME/backups
  base/<label>/base.tar.gz.age      the data folder at one moment
               manifest.age         what it is; `manifest.json` is the same for people and for listing
  wal/<system>/<segment>.gz.age     sealed WAL, a folder per database system
  wal/<system>/stream/              the segment that is being written, in the clear: it lies so in the database too
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vote.config import Settings
from vote.errors import ConfigError
from vote.ops.embedded.disk import sync_names
from vote.ops.embedded.home import locked

LABEL = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
BASE, SEALED_MANIFEST, PLAIN_MANIFEST = "base.tar.gz.age", "manifest.age", "manifest.json"
UNFINISHED = ".new"


@dataclass(frozen=True)
class Folder:
    """BACKUP_FOLDER."""

    path: Path

    @classmethod
    def from_settings(cls, settings: Settings) -> "Folder":
        """The folder of these settings; nothing is made."""
        return cls((settings.backup_folder or settings.vote_home / "backups").absolute())

    @property
    def base(self) -> Path:
        """Where base backups are."""
        return self.path / "base"

    def backup(self, label: str) -> Path:
        """The folder of one backup. Raises ConfigError for what cannot be a label."""
        if not LABEL.fullmatch(label):
            raise ConfigError(f"{label!r} is no label of a backup; `vote backup list` shows them.")
        return self.base / label

    def wal(self, system: str) -> Path:
        """Where sealed WAL of a database system is."""
        return self.path / "wal" / system

    def stream(self, system: str) -> Path:
        """Where the stream of a database system writes."""
        return self.wal(system) / "stream"

    def labels(self) -> list[str]:
        """Complete backups, newest first."""
        if not self.base.is_dir():
            return []
        return sorted((one.name for one in self.base.iterdir() if LABEL.fullmatch(one.name)), reverse=True)

    def prepare(self) -> None:
        """Make the folders, private. Raises ConfigError when that cannot be."""
        for folder in (self.path, self.base, self.path / "wal"):
            private_folder(folder)

    @contextlib.contextmanager
    def being_written(self) -> Iterator[None]:
        """Hold the right to make, verify and remove backups: one at a time. What a crash left half made is removed."""
        self.prepare()
        with locked(self.base):
            for left in self.base.glob("*" + UNFINISHED):
                shutil.rmtree(left)
            yield

    def remove(self, label: str) -> None:
        """Remove a backup; after a crash half way it is no backup any more."""
        gone = self.backup(label).rename(self.base / (label + UNFINISHED))
        sync_names(self.base)
        shutil.rmtree(gone)


def private_folder(folder: Path) -> None:
    """Make a folder that only we can enter. Raises ConfigError when that cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used for backups: {error.strerror}.") from error


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name to write to; what was written there becomes `path` at once, on disk, or is not there at all."""
    new = path.with_name(path.name + UNFINISHED)
    new.unlink(missing_ok=True)
    try:
        yield new
        descriptor = os.open(new, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.rename(path)
        sync_names(path.parent)
    finally:
        new.unlink(missing_ok=True)
