"""How old each secret is: by its manager, its file, or the file of VOTE_HOME that it came from."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from vote.config import Settings
from vote.ops.backup.encryption import IDENTITY
from vote.production_rules import POSTGRES_URLS, REDIS_URLS
from vote.secret_store import SecretOrigin

KEPT_MIN_CHARS = 16  # of a secret of VOTE_HOME that is looked for inside a URL
ENVIRONMENT = "environment"


class SecretAge(NamedTuple):
    """A secret's name and origin, never its value. `days` is None where nobody knows: a plain environment variable."""

    name: str
    origin: SecretOrigin
    days: float | None


def ages_of(settings: Settings, now: datetime) -> list[SecretAge]:
    """Return the age of every secret in use, those of VOTE_HOME too, by name. A URL without a password is none."""
    origins = dict(_resolved(settings))
    identity = settings.vote_home / "secrets" / IDENTITY
    if "BACKUP_IDENTITY" not in origins and identity.exists():
        origins["BACKUP_IDENTITY"] = _of_file(identity)
    return [
        SecretAge(name, origin, (now - origin.changed_at).total_seconds() / 86_400 if origin.changed_at else None)
        for name, origin in sorted(origins.items())
    ]


def _resolved(settings: Settings) -> Iterator[tuple[str, SecretOrigin]]:
    kept = [file for file in sorted((settings.vote_home / "secrets").glob("*")) if file.is_file()]
    for name, origin in settings.secret_origins.items():
        value = str(getattr(settings, name.lower()))
        if name in (*POSTGRES_URLS, *REDIS_URLS) and not _has_password(value):
            continue
        if origin.source == ENVIRONMENT:
            origin = next((_of_file(file) for file in kept if _comes_from(file, value)), origin)  # noqa: PLW2901
        yield name, origin


def _has_password(url: str) -> bool:
    return urlsplit(url).password is not None or "password=" in url


def _comes_from(file: Path, value: str) -> bool:
    text = file.read_text("utf-8").strip()
    return text == value or (len(text) >= KEPT_MIN_CHARS and text in value)


def _of_file(file: Path) -> SecretOrigin:
    return SecretOrigin(f"file {file}", changed_at=datetime.fromtimestamp(file.stat().st_mtime, UTC))
