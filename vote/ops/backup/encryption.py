"""Seal and open files as streams: gzip inside, age (X25519, ChaCha20-Poly1305 in chunks) outside.

age detects every changed, cut or missing byte. It does not prove who sealed a file, as the recipient is public: the folder's
permissions keep others from replacing whole files.
"""

import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from pyrage import (  # type: ignore[import-untyped]  # the package carries no types
    DecryptError,
    EncryptError,
    decrypt_io,
    encrypt_io,
    x25519,
)

from vote.config import Settings
from vote.errors import BackupUnusable, ConfigError
from vote.ops.backup.folder import whole
from vote.ops.embedded.disk import write_private
from vote.ops.embedded.home import Home

LEVEL = 3  # a database shrinks to a fifth at some 70 MB a second; higher levels cost more than they save
CHUNK = 64 * 1024
IDENTITY = "backup-identity"

Identity: TypeAlias = x25519.Identity
Recipient: TypeAlias = x25519.Recipient
OnProgress = Callable[[int], None]


class Source(Protocol):
    """A readable stream."""

    def read(self, size: int = -1, /) -> bytes: ...


class Sealed(NamedTuple):
    """A sealed file: its hash and size, and the size of its content, in bytes."""

    sha256: str
    bytes: int
    plain_bytes: int


def kept_recipient(home: Home) -> str:
    """Return the public key of an installation; created on first use, with its private half in the home's secrets."""
    file = home.secrets / IDENTITY
    if not file.exists():
        write_private(file, f"{Identity.generate()}\n")
    return str(_identity(file.read_text("ascii")).to_public())


def recipient_of(settings: Settings) -> Recipient:
    """Return the key that backups are sealed for. Raises ConfigError when none is set."""
    if settings.backup_recipient:
        try:
            return Recipient.from_str(settings.backup_recipient.strip())
        except ValueError as error:
            raise ConfigError("BACKUP_RECIPIENT is not an age recipient (age1…).") from error
    return identity_of(settings).to_public()


def identity_of(settings: Settings) -> Identity:
    """Return the key that opens backups. Raises ConfigError when it is not on this machine."""
    file = settings.vote_home / "secrets" / IDENTITY
    if settings.backup_identity:
        return _identity(settings.backup_identity)
    if not file.exists():
        raise ConfigError(
            "The backups' private key is not on this machine. Set BACKUP_IDENTITY or BACKUP_IDENTITY_FILE."
        )
    return _identity(file.read_text("ascii"))


def has_identity(settings: Settings) -> bool:
    """Return whether this machine can open backups."""
    return bool(settings.backup_identity) or (settings.vote_home / "secrets" / IDENTITY).exists()


def _identity(text: str) -> Identity:
    lines = [line for line in text.split() if line.startswith("AGE-SECRET-KEY-")]
    try:
        (line,) = lines
        return Identity.from_str(line)
    except ValueError:
        raise ConfigError("BACKUP_IDENTITY is not an age identity (AGE-SECRET-KEY-1…).") from None


def seal(source: Source, target: Path, recipient: Recipient, progress: OnProgress | None = None) -> Sealed:
    """Compress and encrypt a stream into `target`, which appears complete and on disk, or not at all.

    Raises BackupUnusable when it cannot be written.
    """
    compressed = _Compressed(source, progress)
    with whole(target) as new, open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        hashed = _Hashed(file.write)
        try:
            encrypt_io(compressed, hashed, [recipient])
        except EncryptError as error:
            raise BackupUnusable(f"{target} cannot be written: {error}.") from error
        file.flush()
    return Sealed(hashed.sha256, hashed.bytes, compressed.bytes)


def unseal(
    sealed: Path, identity: Identity, sink: Callable[[bytes], object], progress: OnProgress | None = None
) -> Sealed:
    """Decrypt and decompress a file into `sink`. Raises BackupUnusable when a single byte of it has changed.

    What `sink` received before the error is authentic but incomplete: do not use it.
    """
    plain = _Decompressed(sink)
    try:
        with sealed.open("rb") as file:
            source = _HashedSource(file, progress)
            decrypt_io(source, plain, [identity])
            source.read_rest()
        plain.finish()
    except DecryptError as error:
        if "No matching keys" in str(error):
            raise BackupUnusable(f"{sealed} was sealed for another key. Use that key as BACKUP_IDENTITY.") from error
        raise BackupUnusable(f"{sealed} is damaged: {error}.") from error
    except FileNotFoundError as error:
        raise BackupUnusable(f"{sealed} is missing.") from error
    except (OSError, zlib.error) as error:
        raise BackupUnusable(f"{sealed} is damaged or cannot be read: {error}.") from error
    return Sealed(source.sha256, source.bytes, plain.bytes)


class _Compressed:
    """A reader that compresses what it reads."""

    def __init__(self, source: Source, progress: OnProgress | None) -> None:
        self._source, self._progress = source, progress
        self._gzip = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)  # 31: with gzip's header and checksum
        self._ready = bytearray()
        self._ended = False
        self.bytes = 0

    def read(self, size: int = -1) -> bytes:
        while not self._ended and len(self._ready) < max(size, 1):
            plain = self._source.read(CHUNK)
            self.bytes += len(plain)
            self._ready += self._gzip.compress(plain) if plain else self._gzip.flush()
            self._ended = not plain
            if self._progress:
                self._progress(len(plain))
        given = bytes(self._ready[:size])
        del self._ready[:size]
        return given


class _Decompressed:
    """A writer that decompresses what it is given."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        self._sink = sink
        self._gzip = zlib.decompressobj(31)
        self.bytes = 0

    def write(self, data: bytes) -> int:
        plain = self._gzip.decompress(data)
        self.bytes += len(plain)
        self._sink(plain)
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def finish(self) -> None:
        if not self._gzip.eof or self._gzip.unused_data:
            raise zlib.error("it is truncated or too long")


class _Hashed:
    """A writer that hashes what it passes on."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write, self._hash, self.bytes = write, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.bytes += len(data)
        return self._write(data)

    def flush(self) -> None:
        """Do nothing: the file is flushed once it is complete."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _HashedSource:
    """A reader that hashes what it reads."""

    def __init__(self, file: Source, progress: OnProgress | None) -> None:
        self._file, self._progress, self._hash, self.bytes = file, progress, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        self.bytes += len(data)
        if self._progress:
            self._progress(len(data))
        return data

    def read_rest(self) -> None:
        if self.read(1):
            raise zlib.error("data follows its end")

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()
