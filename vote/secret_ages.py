"""Tell how old each secret is: by its manager, its file, or the file of VOTE_HOME that it came from."""

import threading
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vote.config import Settings
from vote.first_seen import first_seen
from vote.metrics.exposition import labelled
from vote.production_rules import POSTGRES_URLS, REDIS_URLS
from vote.secret_store import SecretOrigin

BACKUP_IDENTITY_FILE = "backup-identity"  # in VOTE_HOME/secrets
KEPT_MIN_CHARS = 16  # of a secret of VOTE_HOME that is looked for inside a URL
ENVIRONMENT = "environment"
LEAST_S = 1.0  # an age is never 0, which would look like a secret that was just changed


class SecretAge(NamedTuple):
    """A secret's name and origin, never its value. `days` is None where nobody knows: a plain environment variable."""

    name: str
    origin: SecretOrigin
    days: float | None


def ages_of(settings: Settings, now: datetime) -> list[SecretAge]:
    """Return the age of every secret in use, those of VOTE_HOME too, by name. A URL without a password is none."""
    return [
        SecretAge(name, origin, (now - origin.changed_at).total_seconds() / 86_400 if origin.changed_at else None)
        for name, origin in sorted(origins_of(settings).items())
    ]


def origins_of(settings: Settings) -> dict[str, SecretOrigin]:
    """Return where every secret in use came from, those of VOTE_HOME too. A URL without a password is none."""
    origins = dict(_resolved(settings))
    identity = settings.vote_home / "secrets" / BACKUP_IDENTITY_FILE
    if "BACKUP_IDENTITY" not in origins and identity.exists():
        origins["BACKUP_IDENTITY"] = _of_file(identity)
    return origins


class SecretAgeCollector(Collector):
    """A collector of the ages of the secrets that this process uses, but for those in `without`. Reads them once: a process
    keeps what it started with.
    """

    def __init__(self, settings: Settings, *, without: Collection[str] = ()) -> None:
        self._settings, self._without = settings, frozenset(without)
        self._since: dict[str, float] | None = None
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        """Yield the age of each secret in seconds."""
        with self._lock:
            if self._since is None:
                self._since = self._read()
        now = datetime.now(UTC).timestamp()
        ages = ((name, max(LEAST_S, now - since)) for name, since in sorted(self._since.items()))
        text = "Age of each secret in use; of a plain environment variable, since it was first seen."
        yield labelled("vote_secret_age_seconds", text, "secret", ages)

    def _read(self) -> dict[str, float]:
        origins = {name: origin for name, origin in origins_of(self._settings).items() if name not in self._without}
        dated = {name: origin.changed_at.timestamp() for name, origin in origins.items() if origin.changed_at}
        undated = {name: str(getattr(self._settings, name.lower())) for name in origins.keys() - dated.keys()}
        return dated | first_seen(self._settings.vote_home, undated)


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
