"""The folders of an installation (VOTE_HOME) and the lock that keeps a second copy out.

VOTE_HOME/            0700, whoever starts `vote up`
  secrets/ logs/      ours, as are the files that commands keep here: `admin-password`, `environment`, `lock`
  servers/            the servers' own; for root a link into /var/lib/vote-app, because the account that runs the
                      servers then cannot enter VOTE_HOME
    postgres/ valkey/ data
    sockets/          0700; in the temporary folder when this path is too long for a socket
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vote.errors import ConfigError
from vote.ops.account import SystemUser, owner_of
from vote.ops.embedded.disk import sync_names

DATA_OF_ROOT = Path("/var/lib/vote-app")
SOCKET_PATH_BYTES = 103  # sun_path: 108 bytes on Linux, 104 on macOS, with the closing zero
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


@dataclass(frozen=True)
class Home:
    """The folder of one installation, where its secrets and logs are."""

    path: Path

    @property
    def secrets(self) -> Path:
        """Where generated secrets are kept."""
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        """Where the servers' logs go."""
        return self.path / "logs"


@dataclass(frozen=True)
class ServerRoom:
    """Where the servers of a home work: `account` owns both folders, or we do when it is None."""

    home: Home
    data: Path
    sockets: Path
    account: SystemUser | None


def prepare(path: Path) -> Home:
    """Make the folders of an installation, or find them as they are. Raises ConfigError when that cannot be."""
    home = Home(path.absolute())
    with _told(home):
        for folder in (home.path, home.secrets, home.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
    return home


def make_room(home: Home, account: SystemUser | None) -> ServerRoom:
    """Make the servers' folders for `account`, or find them as they are: then they stay with the account they were
    made for, also when a better one (`postgres`) has been installed since.

    Raises ConfigError when that cannot be, or when they were made by somebody else's start of the same home.
    """
    with _told(home):
        data = _data_folder(home.path / "servers", account)
        sync_names(home.path)
        account = owner_of(data) if account else None
        return ServerRoom(home, data, _sockets_folder(data, account), account)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` (a file descriptor no child inherits). Raises ConfigError at once when it is taken."""
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConfigError(
                f"Another copy (process {file.read().strip() or 'unknown'}) already uses {folder}. "
                "Stop it first, or choose another VOTE_HOME."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def _told(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"VOTE_HOME {home.path} cannot be used: {error.strerror} ({error.filename}).") from error


def _data_folder(servers: Path, account: SystemUser | None) -> Path:
    if account is not None and not servers.is_symlink() and not servers.exists():
        DATA_OF_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
        # A new name for each home: were it made from the path, a home deleted and made again would meet old data.
        data = Path(tempfile.mkdtemp(dir=DATA_OF_ROOT, prefix=""))
        (data / "belongs-to").write_text(f"{servers.parent}\n")  # for people who find the folder
        account.give(data)
        servers.symlink_to(data)
        sync_names(DATA_OF_ROOT)
    elif account is None:
        servers.mkdir(mode=0o700, exist_ok=True)
    maker = servers.lstat().st_uid
    if maker != os.geteuid():
        raise ConfigError(f"{servers} was made by user {maker}: start as that user, or choose another VOTE_HOME.")
    return servers.resolve(strict=True)


def _sockets_folder(data: Path, account: SystemUser | None) -> Path:
    sockets = data / "sockets"
    if _is_too_long(sockets):
        ours = Path(tempfile.gettempdir()) / f"vote-app-{os.geteuid()}"
        sockets = ours / hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        with contextlib.suppress(FileExistsError):
            ours.mkdir(mode=0o700)
        found = ours.lstat()  # the name can be guessed: what somebody else put there is not ours
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ConfigError(f"{ours} is not private to this user: remove it, or choose a shorter VOTE_HOME.")
        if _is_too_long(sockets):
            raise ConfigError(f"{sockets} is too long for a socket: choose a shorter VOTE_HOME or TMPDIR.")
    sockets.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        account.give(sockets)
    return sockets


def _is_too_long(sockets: Path) -> bool:
    return len(os.fsencode(sockets / LONGEST_SOCKET_NAME)) > SOCKET_PATH_BYTES
