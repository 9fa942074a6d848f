"""Unpack a base backup into a folder, and check that it is intact before a server sees it."""

import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from vote.errors import BackupUnusable
from vote.ops.backup import pg_clients
from vote.ops.backup.encryption import Identity, sha256, unseal
from vote.ops.backup.folder import BASE
from vote.ops.backup.manifest import Manifest
from vote.ops.embedded.programs import server_environ
from vote.ops.progress import Bar

COPY_BYTES = 256 * 1024


def unpack(folder: Path, manifest: Manifest, identity: Identity, target: Path, *, quiet: bool = False) -> None:
    """Unpack the base backup in `folder` into `target`, which must not exist.

    Raises BackupUnusable unless every byte is as it was backed up: checks the seal, the file's hash in the manifest, and
    PostgreSQL's own manifest of its files. On failure, removes what was unpacked.
    """
    base = folder / BASE
    target.mkdir(mode=0o700)
    try:
        with Bar("Unpacking", manifest.base_plain_bytes, quiet=quiet) as bar, unseal(base, identity) as plain:
            try:
                with tarfile.open(fileobj=plain, mode="r|") as tar:
                    for member in tar:
                        _extract(tar, member, target)
                        bar.add(member.size)
            except (tarfile.TarError, OSError) as error:
                raise BackupUnusable(f"{base} cannot be unpacked: {error}.") from error
        if sha256(base) != manifest.base_sha256:
            raise BackupUnusable(f"{base} does not belong to this backup: its hash differs from the manifest's.")
        _verify(target, manifest.server_major)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
        raise BackupUnusable(f"The base backup contains {member.name!r}, which does not belong in a data folder.")
    path = target / name
    if member.isdir():
        path.mkdir(mode=0o700, exist_ok=True)
        return
    content = tar.extractfile(member)
    assert content is not None
    path.touch(mode=0o600, exist_ok=False)
    with path.open("wb") as file:
        shutil.copyfileobj(content, file, COPY_BYTES)


def _verify(target: Path, major: int) -> None:
    command = [str(pg_clients.bin_of(major) / "pg_verifybackup"), "--no-parse-wal", "--quiet", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, env=server_environ(), check=False)
    if done.returncode != 0:
        raise BackupUnusable(f"The base backup does not match its own manifest: {done.stderr.strip().splitlines()[:1]}")
