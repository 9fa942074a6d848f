"""The folders of an installation (VOTE_HOME), and the lock that keeps a second copy out.

VOTE_HOME/            0700, owned by whoever starts `vote up`
  secrets/ logs/      ours, like the files that commands keep here: `admin-password`, `environment`, `lock`
  servers/            the servers' own; for root, a link into /var/lib/vote-app, because the account that runs the
                      servers cannot enter VOTE_HOME
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
    """The folder of an installation, with its secrets and logs."""

    path: Path

    @property
    def secrets(self) -> Path:
        """Return the folder of generated secrets."""
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        """Return the folder of the servers' logs."""
        return self.path / "logs"


@dataclass(frozen=True)
class ServerRoom:
    """The servers' folders of a home, owned by `account`, or by us when it is None."""

    home: Home
    data: Path
    sockets: Path
    account: SystemUser | None


def prepare(path: Path) -> Home:
    """Create the folders of an installation, or use existing ones. Raises ConfigError when that fails."""
    home = Home(path.absolute())
    with _explain_os_errors(home):
        for folder in (home.path, home.secrets, home.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
    return home


def make_room(home: Home, account: SystemUser | None) -> ServerRoom:
    """Create the servers' folders for `account`, or use existing ones with the account they were made for, even if a better
    one (`postgres`) has been installed since.

    Raises ConfigError when that fails, or when another user's start of this home made them.
    """
    with _explain_os_errors(home):
        data = _data_folder(home.path / "servers", account)
        sync_names(home.path)
        account = owner_of(data) if account else None
        return ServerRoom(home, data, _sockets_folder(data, account), account)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` (a file descriptor that no child inherits). Raises ConfigError at once when it is taken."""
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConfigError(
                f"Another copy (process {file.read().strip() or 'unknown'}) already uses {folder}."
                " Stop it first, or choose another VOTE_HOME."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def _explain_os_errors(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"VOTE_HOME {home.path} cannot be used: {error.strerror} ({error.filename}).") from error


def _data_folder(servers: Path, account: SystemUser | None) -> Path:
    if account is not None and not servers.is_symlink() and not servers.exists():
        DATA_OF_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
        # A random name: one derived from the path would give a recreated home its predecessor's data.
        data = Path(tempfile.mkdtemp(dir=DATA_OF_ROOT, prefix=""))
        (data / "belongs-to").write_text(f"{servers.parent}\n")  # for people who come across the folder
        account.give(data)
        servers.symlink_to(data)
        sync_names(DATA_OF_ROOT)
    elif account is None:
        servers.mkdir(mode=0o700, exist_ok=True)
    owner = servers.lstat().st_uid
    if owner != os.geteuid():
        raise ConfigError(f"{servers} belongs to user {owner}: start as that user, or choose another VOTE_HOME.")
    return servers.resolve(strict=True)


def _sockets_folder(data: Path, account: SystemUser | None) -> Path:
    sockets = data / "sockets"
    if _is_too_long(sockets):
        ours = Path(tempfile.gettempdir()) / f"vote-app-{os.geteuid()}"
        sockets = ours / hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        with contextlib.suppress(FileExistsError):
            ours.mkdir(mode=0o700)
        status = ours.lstat()  # the name can be guessed, so another user may have created it
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise ConfigError(f"{ours} is not private to this user: remove it, or choose a shorter VOTE_HOME.")
        if _is_too_long(sockets):
            raise ConfigError(f"{sockets} is too long for a socket: choose a shorter VOTE_HOME or TMPDIR.")
    sockets.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        account.give(sockets)
    return sockets


def _is_too_long(sockets: Path) -> bool:
    return len(os.fsencode(sockets / LONGEST_SOCKET_NAME)) > SOCKET_PATH_BYTES
