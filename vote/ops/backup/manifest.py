"""The manifest of a backup: versions, WAL positions, content, and the hash of its file.

It is stored twice, and both must agree: sealed, which is authoritative, and in plain form, as the machine that makes, lists
and removes backups needs no key that opens them.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from vote.db.backups import Facts, Positions
from vote.errors import BackupUnusable
from vote.ops.backup.encryption import Identity, Recipient, seal, unseal
from vote.ops.backup.folder import PLAIN_MANIFEST, SEALED_MANIFEST
from vote.ops.embedded.disk import write_private


class Manifest(BaseModel):
    """A backup. LSNs are in PostgreSQL's text form; `facts` and `positions` hold exactly at `moment_lsn`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    label: str
    started_at: datetime
    finished_at: datetime
    recipient: str

    server_version: str
    server_major: int
    system: str
    segment_bytes: int
    schema_revision: str
    installation: str | None = None  # None in backups from before installations had an id
    role: str
    database: str

    timeline: int
    start_lsn: str
    stop_lsn: str
    moment_lsn: str
    moment_at: datetime
    record_lsn: str

    positions: Positions
    facts: Facts

    base_sha256: str
    base_bytes: int
    base_plain_bytes: int


def write(folder: Path, manifest: Manifest, recipient: Recipient) -> None:
    """Write both forms into the folder of a backup."""
    text = manifest.model_dump_json(indent=1)
    write_private(folder / PLAIN_MANIFEST, text)
    seal([text.encode()], folder / SEALED_MANIFEST, recipient)


def read_plain(folder: Path) -> Manifest:
    """Return the plain manifest, for listings. Raises BackupUnusable when it cannot be read."""
    path = folder / PLAIN_MANIFEST
    try:
        return _parse(path, path.read_bytes())
    except OSError as error:
        raise BackupUnusable(f"{path} cannot be read: {error.strerror}.") from error


def read_sealed(folder: Path, identity: Identity) -> Manifest:
    """Return the authoritative manifest. Raises BackupUnusable when it is damaged, belongs elsewhere or differs from the
    plain one.
    """
    path = folder / SEALED_MANIFEST
    with unseal(path, identity) as plain:
        manifest = _parse(path, plain.read())
    if manifest.label != folder.name:
        raise BackupUnusable(f"{path} belongs to the backup {manifest.label}.")
    if read_plain(folder) != manifest:
        raise BackupUnusable(f"{folder / PLAIN_MANIFEST} was changed: it differs from the sealed manifest.")
    return manifest


def _parse(path: Path, text: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BackupUnusable(f"This version cannot read the manifest {path}.") from error
