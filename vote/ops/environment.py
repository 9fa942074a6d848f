"""The environment as names and values: what commands start from, and what each part is given. What the values mean is
`vote.config`'s business.

`vote up` notes what it made (secrets, URLs of its servers) in VOTE_HOME/environment, so that a command in another
terminal finds the running stack.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import dotenv

from vote.ops.embedded.disk import write_private

NOTES = "environment"
OPENING = ("BACKUP_IDENTITY", "BACKUP_IDENTITY_FILE")  # of backups: for the part that proves them, and for commands
SIGNING = ("CHECKPOINT_KEY", "CHECKPOINT_KEY_FILE")  # for the worker alone, and never written down beside the database
LOGINS = ("FLASK_SECRET_KEY", "JWT_SECRET")  # who has these can be anybody: for the web alone
EARLIER_LOGINS = tuple(f"{name}_PREVIOUS{kind}" for name in LOGINS for kind in ("", "_FILE"))
DATABASES = ("DATABASE_URL_WEB", "DATABASE_URL_WORKER", "DATABASE_URL_REPORTS", "DATABASE_URL_BACKUP")


def read() -> dict[str, str]:
    """`.env` of the working folder, overruled by the environment; empty values count as unset."""
    return _named(dotenv.dotenv_values(".env")) | _named(os.environ)


def read_with_notes() -> dict[str, str]:
    """The same over what `vote up` noted in VOTE_HOME: for commands that work on an installation."""
    environ = read()
    return _named(dotenv.dotenv_values(home_path(environ) / NOTES, interpolate=False)) | environ


def home_path(environ: Mapping[str, str]) -> Path:
    """VOTE_HOME, which is needed before there are secrets, and so before there can be settings."""
    return Path(environ.get("VOTE_HOME", ".vote"))


def note(home: Path, made: Mapping[str, str]) -> None:
    """Write down what was made, for `read_with_notes`; not the key of the checkpoints, which no command needs."""
    noted = {name: value for name, value in made.items() if name not in SIGNING}
    write_private(home / NOTES, "".join(f"{name}='{value}'\n" for name, value in noted.items()))


def of_part(environ: Mapping[str, str], databases: Iterable[str], *, signs: bool = False) -> dict[str, str]:
    """Return `environ` with what this part needs, and no more of what opens something.

    It has no database URL but its own (the owner's when it lacks one), the key of the checkpoints when it `signs`, the key
    that opens backups when it makes them, the login of the mail server when it sends, and the keys of sessions and tokens
    when it is the web. Settings ask for these two everywhere: other parts are given two that open nothing.
    """
    own = [name for name in databases if environ.get(name)]
    others = {name for name in DATABASES if name not in own}
    if len(own) == len(list(databases)):
        others.add("DATABASE_URL")
    # Emptied, not left out: the part reads `.env` too, and what it is given overrules that.
    emptied = {name: "" for name in SIGNING if name in environ and not signs}
    if "DATABASE_URL_BACKUP" not in databases:
        emptied |= {name: "" for name in OPENING if name in environ}
    if "DATABASE_URL_WEB" not in databases:
        emptied |= {name: secrets.token_urlsafe(32) for name in LOGINS if {name, f"{name}_FILE"} & environ.keys()}
        emptied |= {name: "" for name in EARLIER_LOGINS if name in environ}
    if "DATABASE_URL_WORKER" not in databases and environ.get("SMTP_URL"):
        emptied["SMTP_URL"] = _without_login(environ["SMTP_URL"])
    return {name: value for name, value in environ.items() if name not in others} | emptied


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _named(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
