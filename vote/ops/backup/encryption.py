"""Seal and open files as streams: gzip inside, age (X25519, ChaCha20-Poly1305 in chunks) outside.

age detects every changed, cut or missing byte. It does not prove who sealed a file, as the recipient is public: the folder's
permissions keep others from replacing whole files.
"""

import contextlib
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TypeAlias

from pyrage import DecryptError, EncryptError, decrypt_io, encrypt_io, x25519  # type: ignore[import-untyped]

from vote.config import Settings
from vote.errors import BackupUnusable, ConfigError
from vote.ops.backup.folder import UNFINISHED
from vote.ops.embedded.disk import sync_names, write_private
from vote.ops.embedded.home import Home
from vote.secret_ages import BACKUP_IDENTITY_FILE

LEVEL = 3  # a database shrinks to a fifth at some 70 MB a second; higher levels cost more than they save
CHUNK = 64 * 1024

Identity: TypeAlias = x25519.Identity
Recipient: TypeAlias = x25519.Recipient


def kept_recipient(home: Home) -> str:
    """Return the public key of an installation; created on first use, with its private half in the home's secrets."""
    file = home.secrets / BACKUP_IDENTITY_FILE
    if not file.exists():
        write_private(file, f"{Identity.generate()}\n")
    return str(_identity(file.read_text("ascii")).to_public())


def recipient_of(settings: Settings) -> Recipient:
    """Return the key that backups are sealed for. Raises ConfigError when none is set."""
    if not settings.backup_recipient:
        return identity_of(settings).to_public()
    try:
        return Recipient.from_str(settings.backup_recipient.strip())
    except ValueError as error:
        raise ConfigError("BACKUP_RECIPIENT is not an age recipient (age1…).") from error


def has_identity(settings: Settings) -> bool:
    """Return whether this machine can open backups."""
    return bool(settings.backup_identity) or (settings.vote_home / "secrets" / BACKUP_IDENTITY_FILE).exists()


def identity_of(settings: Settings) -> Identity:
    """Return the key that opens backups. Raises ConfigError when it is not on this machine."""
    if not has_identity(settings):
        raise ConfigError(
            "The backups' private key is not on this machine. Set BACKUP_IDENTITY or BACKUP_IDENTITY_FILE."
        )
    return _identity(
        settings.backup_identity or (settings.vote_home / "secrets" / BACKUP_IDENTITY_FILE).read_text("ascii")
    )


def _identity(text: str) -> Identity:
    try:
        (line,) = (line for line in text.split() if line.startswith("AGE-SECRET-KEY-"))
        return Identity.from_str(line)
    except ValueError:
        raise ConfigError("BACKUP_IDENTITY is not an age identity (AGE-SECRET-KEY-1…).") from None


def seal(chunks: Iterable[bytes], target: Path, recipient: Recipient) -> None:
    """Compress and encrypt a stream into `target`, which appears complete and on disk, or not at all.

    Raises BackupUnusable when it cannot be written.
    """

    def compress(pipe: IO[bytes]) -> None:
        with gzip.GzipFile(fileobj=pipe, mode="wb", compresslevel=LEVEL) as compressed:
            compressed.writelines(chunks)

    new = target.with_name(target.name + UNFINISHED)
    new.unlink(missing_ok=True)
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with _piped(compress) as compressed:
                encrypt_io(compressed, file, [recipient])
            file.flush()
            os.fsync(file.fileno())
        new.rename(target)
        sync_names(target.parent)
    except EncryptError as error:
        raise BackupUnusable(f"{target} cannot be written: {error}.") from error
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def unseal(sealed: Path, identity: Identity) -> Iterator[IO[bytes]]:
    """Yield the content of a file to be read. Raises BackupUnusable at the end when a single byte of the file has changed.

    What was read before the error is authentic but incomplete: do not use it.
    """

    def decrypt(pipe: IO[bytes]) -> None:
        with sealed.open("rb") as file:
            decrypt_io(file, pipe, [identity])
            if file.read(1):
                raise OSError("data follows its end")

    try:
        with _piped(decrypt) as pipe, gzip.GzipFile(fileobj=pipe) as compressed:
            plain = io.BufferedReader(compressed, CHUNK)  # many small reads of a GzipFile are slow
            yield plain
            for _ in chunks_of(plain):
                pass  # what nobody wanted is sealed too
    except DecryptError as error:
        if "No matching keys" in str(error):
            raise BackupUnusable(f"{sealed} was sealed for another key. Use that key as BACKUP_IDENTITY.") from error
        raise BackupUnusable(f"{sealed} is damaged: {error}.") from error
    except FileNotFoundError as error:
        raise BackupUnusable(f"{sealed} is missing.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise BackupUnusable(f"{sealed} is damaged or cannot be read: {error}.") from error


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file, piece by piece."""
    while chunk := file.read(CHUNK):
        yield chunk


@contextlib.contextmanager
def _piped(write: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """Yield, to be read, what `write` writes in a thread: a database fits neither into memory nor twice on disk.

    An error of `write` is raised in the place of the reader's, which is only its effect.
    """
    reader, writer = os.pipe()

    def run() -> None:
        with os.fdopen(writer, "wb") as pipe:
            write(pipe)

    with ThreadPoolExecutor(1) as background:
        done = background.submit(run)
        try:
            with os.fdopen(reader, "rb") as pipe:
                yield pipe
        finally:
            with contextlib.suppress(BrokenPipeError):  # the reader stopped first, for a reason of its own
                done.result()
