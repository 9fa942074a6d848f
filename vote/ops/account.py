"""Which account runs the servers. PostgreSQL refuses root, so root hands them to somebody who may do less."""

import os
import pwd
from pathlib import Path
from typing import NamedTuple, TypedDict

from vote.errors import ConfigError

CANDIDATES = ("postgres", "nobody")  # PostgreSQL wants an entry in passwd; `nobody` always has one


class Credentials(TypedDict):
    """What `subprocess` needs to become somebody else."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


class SystemUser(NamedTuple):
    """Somebody without privileges."""

    name: str
    uid: int
    gid: int

    def give(self, path: Path) -> None:
        """Make `path` this account's own."""
        os.chown(path, self.uid, self.gid)


def credentials(account: SystemUser | None) -> Credentials:
    """The arguments of `subprocess` that make a child this account's; without an account it stays ours."""
    if account is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def owner_of(path: Path) -> SystemUser:
    """Whose `path` is. Raises ConfigError when that account is gone."""
    uid = path.stat().st_uid
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigError(f"{path} belongs to user {uid}, who is not there any more.") from None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def server_account() -> SystemUser | None:
    """The account for new servers when we are root; None otherwise: then they run as we do."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(name, entry.pw_uid, entry.pw_gid)
    raise ConfigError(f"PostgreSQL does not run as root, and there is no user {' or '.join(CANDIDATES)} to run it.")
