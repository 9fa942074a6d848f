"""Unpack a base backup into a folder, and check that it is intact before a server sees it."""

import os
import re
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path, PurePosixPath

from vote.errors import BackupUnusable
from vote.ops.account import SystemUser
from vote.ops.backup import pg_clients
from vote.ops.backup.encryption import Identity, Sealed, unseal
from vote.ops.backup.folder import BASE
from vote.ops.backup.manifest import Manifest
from vote.ops.embedded.programs import server_environ
from vote.ops.progress import Bar

COPY_BYTES = 256 * 1024


def unpack(
    folder: Path,
    manifest: Manifest,
    identity: Identity,
    target: Path,
    account: SystemUser | None,
    *,
    quiet: bool = False,
) -> None:
    """Unpack the base backup in `folder` into `target`, which must not exist, for `account` to run.

    Raises BackupUnusable unless every byte is as it was backed up: checks the seal, the file's hash in the manifest, and
    PostgreSQL's own manifest of its files. On failure, removes what was unpacked.
    """
    target.mkdir(mode=0o700)
    try:
        if account:
            account.give(target)
        with Bar("Unpacking", manifest.base_bytes, quiet=quiet) as bar:
            sealed = _Flow(folder / BASE, identity, bar).unpack(target, account)
        if sealed != Sealed(manifest.base_sha256, manifest.base_bytes, manifest.base_plain_bytes):
            raise BackupUnusable(
                f"{folder / BASE} does not belong to this backup: its hash differs from the manifest's."
            )
        _check(target, manifest)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


class _Flow:
    """A pipeline that decrypts in a thread and unpacks its output: a database fits neither into memory nor twice on disk."""

    def __init__(self, sealed: Path, identity: Identity, bar: Bar) -> None:
        self._sealed, self._identity, self._bar = sealed, identity, bar
        self._result: Sealed | BackupUnusable | None = None

    def unpack(self, target: Path, account: SystemUser | None) -> Sealed:
        read, write = os.pipe()
        thread = threading.Thread(target=self._decrypt, args=(write,), daemon=True)
        thread.start()
        broken: Exception | None = None
        with os.fdopen(read, "rb") as plain:
            try:
                with tarfile.open(fileobj=plain, mode="r|") as tar:
                    for member in tar:
                        _extract(tar, member, target, account)
                while plain.read(COPY_BYTES):
                    pass  # read on: the padding after the archive's end is sealed too
            except (tarfile.TarError, OSError) as error:
                broken = error
        thread.join()
        if isinstance(self._result, BackupUnusable):
            raise self._result  # the cause; tar's error is only its effect
        if broken is not None or self._result is None:
            raise BackupUnusable(f"{self._sealed} cannot be unpacked: {broken}.") from broken
        return self._result

    def _decrypt(self, write: int) -> None:
        with os.fdopen(write, "wb", buffering=0) as pipe:
            try:
                self._result = unseal(
                    self._sealed, self._identity, lambda data: _write_all(pipe.fileno(), data), self._bar.add
                )
            except BackupUnusable as error:
                self._result = error


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, account: SystemUser | None) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
        raise BackupUnusable(f"The base backup contains {member.name!r}, which does not belong in a data folder.")
    path = target / name
    if member.isdir():
        path.mkdir(mode=0o700, exist_ok=True)
    else:
        content = tar.extractfile(member)
        assert content is not None
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            shutil.copyfileobj(content, file, COPY_BYTES)
    if account:
        account.give(path)


def _check(target: Path, manifest: Manifest) -> None:
    label = (target / "backup_label").read_text("utf-8") if (target / "backup_label").exists() else ""
    start = re.search(r"START WAL LOCATION: ([0-9A-F/]+) ", label)
    major = (target / "PG_VERSION").read_text().strip() if (target / "PG_VERSION").exists() else ""
    if start is None or start[1] != manifest.start_lsn or major != str(manifest.server_major):
        raise BackupUnusable("The base backup is not the one that its manifest describes.")
    verify = [
        str(pg_clients.bin_of(manifest.server_major) / "pg_verifybackup"),
        "--no-parse-wal",
        "--quiet",
        str(target),
    ]
    check = subprocess.run(verify, capture_output=True, text=True, env=server_environ(), check=False)
    if check.returncode != 0:
        raise BackupUnusable(
            f"The base backup does not match its own manifest: {check.stderr.strip().splitlines()[:1]}"
        )
