"""Choose the system account that runs the servers. PostgreSQL refuses root, so root uses an unprivileged account."""

import os
import pwd
from pathlib import Path
from typing import NamedTuple, TypedDict

from vote.errors import ConfigError

CANDIDATES = ("postgres", "nobody")  # PostgreSQL needs a passwd entry; `nobody` always has one


class Credentials(TypedDict):
    """The arguments with which `subprocess` starts a child as another account."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


class SystemUser(NamedTuple):
    """An unprivileged system account."""

    name: str
    uid: int
    gid: int

    def give(self, path: Path) -> None:
        """Make this account the owner of `path`."""
        os.chown(path, self.uid, self.gid)


def credentials(account: SystemUser | None) -> Credentials:
    """Return the `subprocess` arguments that start a child as `account`, or as ourselves for None."""
    if account is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def owner_of(path: Path) -> SystemUser:
    """Return the owner of `path`. Raises ConfigError when that account no longer exists."""
    uid = path.stat().st_uid
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ConfigError(
            f"{path} belongs to user {uid}, which no longer exists. Give it to an existing user with chown."
        ) from None
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def server_account() -> SystemUser | None:
    """Return the account for new servers if we are root; None otherwise: they then run as ourselves. Raises ConfigError."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemUser(name, entry.pw_uid, entry.pw_gid)
    raise ConfigError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(CANDIDATES)} to run it. Create one."
    )
