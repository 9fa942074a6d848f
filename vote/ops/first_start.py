"""Set up a new installation: its secrets, its first admin and a demo competition."""

from collections.abc import Mapping
from pathlib import Path

from vote.actions import accounts, demo
from vote.actions.checkpoints import Signer
from vote.config import Settings
from vote.db.pool import Database
from vote.ops.embedded.home import Home
from vote.ops.embedded.stored_secrets import kept_secret

SECRETS = ("FLASK_SECRET_KEY", "JWT_SECRET")
SIGNING_KEY = "CHECKPOINT_KEY"
ADMIN = "admin"
ADMIN_PASSWORD_BYTES = 15  # 20 characters
BY = "vote up"


def missing_secrets(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that the environment lacks; created on first use and kept in the home. None with a secret manager,
    which has its own.
    """
    if environ.get("SECRETS_FROM", "env") != "env":
        return {}
    missing = [name for name in (*SECRETS, SIGNING_KEY) if name not in environ and f"{name}_FILE" not in environ]
    return {name: kept_secret(home.secrets / name) for name in missing} | _previous_keys(home, environ)


def _previous_keys(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that `vote secrets rotate` left in the home for signatures that are still accepted."""
    files = {name: home.secrets / name for name in (f"{key}_PREVIOUS" for key in SECRETS)}
    return {
        name: file.read_text("ascii").strip()
        for name, file in files.items()
        if file.exists() and file.stat().st_size and name not in environ and f"{name}_FILE" not in environ
    }


def public_key(settings: Settings) -> dict[str, str]:
    """Return the setting with which `vote verify` checks signatures, unless the settings have it."""
    if settings.checkpoint_key is None or settings.checkpoint_public_key:
        return {}
    return {"CHECKPOINT_PUBLIC_KEY": Signer(settings.checkpoint_key).public}


def furnish(settings: Settings, home: Home) -> Path | None:
    """Create the first admin and the demo competition if they are missing.

    Returns the file with the first admin's temporary password; None once it was changed, or if this home did not create the
    admins.
    """
    db = Database(settings.database("owner"), size=1, name=BY)
    try:
        password_file = _first_admin(db, home)
        demo.ensure_demo(db, by=BY)
    finally:
        db.close()
    return password_file


def _first_admin(db: Database, home: Home) -> Path | None:
    file = home.path / "admin-password"
    is_new = not file.exists()
    # The password is on disk before the admin is in the database, so a crash in between is repaired by the next start.
    password = kept_secret(file, size=ADMIN_PASSWORD_BYTES)
    created = accounts.ensure_admin(db, username=ADMIN, password=password, by=BY)
    if is_new and not created:
        file.unlink()
        return None
    return file if accounts.has_first_password(db, username=ADMIN) else None
