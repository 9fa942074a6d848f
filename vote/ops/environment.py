"""Environments as names and values: what commands start with, and what each part gets. `vote.config` knows their meaning.

`vote up` notes what it created (secrets, URLs of its servers) in VOTE_HOME/environment, so that commands in another terminal
find the running stack.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import dotenv

from vote import config
from vote.config import Settings
from vote.ops.embedded.disk import write_private

NOTES = "environment"
OPENING = ("BACKUP_IDENTITY", "BACKUP_IDENTITY_FILE")  # open backups: for the part that proves them, and for commands
SIGNING = ("CHECKPOINT_KEY", "CHECKPOINT_KEY_FILE")  # for the worker alone, and never stored beside the database
LOGINS = ("FLASK_SECRET_KEY", "JWT_SECRET")  # can forge any login: for the web alone
EARLIER_LOGINS = tuple(f"{name}_PREVIOUS{kind}" for name in LOGINS for kind in ("", "_FILE"))
DATABASES = ("DATABASE_URL_WEB", "DATABASE_URL_WORKER", "DATABASE_URL_REPORTS", "DATABASE_URL_BACKUP")


def read_with_notes() -> dict[str, str]:
    """Return `.env` and the environment, with what `vote up` noted in VOTE_HOME as defaults: for commands that work on an
    installation.
    """
    environ = config.read_environ()
    noted = dotenv.dotenv_values(home_path(environ) / NOTES, interpolate=False)
    return {name: value for name, value in noted.items() if value} | environ


def settings_of_reader() -> Settings:
    """Return the settings for a command that only reads. It needs none of the web's secrets: missing ones are made up."""
    environ = read_with_notes()
    return config.load(environ | {name: secrets.token_urlsafe(32) for name in missing_logins(environ)})


def home_path(environ: Mapping[str, str]) -> Path:
    """Return VOTE_HOME, which is needed before there are secrets and therefore settings."""
    return Path(environ.get("VOTE_HOME", ".vote"))


def note(home: Path, made: Mapping[str, str]) -> None:
    """Store what was created, for `read_with_notes`, except the checkpoint key, which no command needs."""
    noted = {name: value for name, value in made.items() if name not in SIGNING}
    write_private(home / NOTES, "".join(f"{name}='{value}'\n" for name, value in noted.items()))


def is_set(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether a secret is set, itself or as a file."""
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


def missing_logins(environ: Mapping[str, str]) -> list[str]:
    """Return the keys of sessions and tokens that nothing supplies. None with a secret manager, which has its own."""
    if environ.get("SECRETS_FROM", "env") != "env":
        return []
    return [name for name in LOGINS if not is_set(name, environ)]


def of_part(environ: Mapping[str, str], databases: Iterable[str], *, signs: bool = False) -> dict[str, str]:
    """Return `environ` with what this part needs, and no other secrets (least privilege).

    A part gets only its own database URL (the owner's if it has none); the checkpoint key if it `signs`; the key that opens
    backups if it makes them; the mail server's login if it sends; and the keys of sessions and tokens if it is the web.
    Settings require these two everywhere, so other parts get random ones.
    """
    own = [name for name in databases if is_set(name, environ)]
    others = {name for name in DATABASES if name not in own}
    if len(own) == len(list(databases)):
        others.add("DATABASE_URL")
    others |= {f"{name}_FILE" for name in others}
    # Emptied, not left out: the part also reads `.env`, which its environment overrides.
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
