"""Read secrets: from the environment, from files, and from a manager with tries and a deadline.

A start without the manager ends with its reason. A process that has read the manager once, and the children it forks, keep
what they have when a later reading fails or brings secrets that cannot be used: voting goes on, and the log says so.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog
from pydantic import ValidationError

from vote import production_rules, setting_errors
from vote.errors import ConfigError
from vote.secret_store import SecretOrigin, SecretStore, StoredSecrets, StoreError, StoreSettings
from vote.secret_store.aws import AwsStore
from vote.secret_store.azure import AzureStore
from vote.secret_store.vault import VaultStore

TRIES = 3
TRY_S, PAUSE_S = 3.0, 0.5  # 3 tries and 2 pauses: 10 s in all
KINDS: dict[str, Callable[[StoreSettings], SecretStore]] = {"aws": AwsStore, "azure": AzureStore, "vault": VaultStore}
SOURCES = {"aws": "AWS Secrets Manager", "azure": "Azure Key Vault", "vault": "Vault"}

logger = structlog.get_logger()
T = TypeVar("T")

_stores: dict[tuple[int, StoreSettings], SecretStore] = {}
_kept: dict[StoreSettings, "GivenSecrets"] = {}


class GivenSecrets(NamedTuple):
    """Values by the names of fields of settings, in lower case, and origins of secrets by the names of settings."""

    values: dict[str, str]
    origins: dict[str, SecretOrigin]


def from_environment(environ: Mapping[str, str], names: Collection[str]) -> GivenSecrets:
    """Return every value that is set, and those of `names` that files hold. An empty file counts as not set."""
    values = {name.lower(): value for name, value in environ.items() if value != ""}
    origins = {name: SecretOrigin("environment") for name in names if name.lower() in values}
    for name in names:
        path = environ.get(f"{name}_FILE")
        if path and name.lower() not in values:
            try:
                text, changed_s = Path(path).read_text(encoding="utf-8").strip(), Path(path).stat().st_mtime
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not text"
                raise ConfigError(f"{name}_FILE cannot be read: {reason}.") from None
            if text:
                values[name.lower()] = text
                origins[name] = SecretOrigin(f"file {path}", changed_at=datetime.fromtimestamp(changed_s, UTC))
    return GivenSecrets(values, origins)


def resolve(environ: Mapping[str, str], names: Collection[str], build: Callable[[GivenSecrets], T]) -> T:
    """Return `build` of everything that is set here, in files, and in the manager of SECRETS_FROM.

    Raises ConfigError when it is refused, or when the manager gives nothing and this process has no reading to keep.
    """
    given = from_environment(environ, names)
    settings = _store_settings(environ, given)
    if settings.secrets_from == "env":
        return build(given)
    kept = _kept.get(settings)
    try:
        stored = read(_store(settings), names, tries=1 if kept else TRIES)
        fresh = _combined(given, stored, SOURCES[settings.secrets_from])
        built = build(fresh)
    except (StoreError, ConfigError) as error:
        if kept is None:
            raise error if isinstance(error, ConfigError) else ConfigError(f"{error}.") from None
        logger.error("new secrets not taken, earlier ones kept", reason=str(error))
        return build(kept)
    _kept[settings] = fresh
    return built


def manager(environ: Mapping[str, str], names: Collection[str]) -> SecretStore | None:
    """Return the manager of SECRETS_FROM, connected to nothing yet; None when it is `env`. Raises ConfigError."""
    settings = _store_settings(environ, from_environment(environ, names))
    return None if settings.secrets_from == "env" else _store(settings)


def _store_settings(environ: Mapping[str, str], given: GivenSecrets) -> StoreSettings:
    """Return how to read secrets. Checked before everything else: these rules decide where our login is sent."""
    try:
        settings = StoreSettings.model_validate(given.values)
    except ValidationError as error:
        raise setting_errors.invalid(error) from None
    if environ.get("VOTE_ENV") == "production" and (reasons := list(production_rules.manager_refusals(environ))):
        raise setting_errors.refused(reasons)
    return settings


def _store(settings: StoreSettings) -> SecretStore:
    """Return the manager's client. Each process has its own: a forked connection would have two readers."""
    process = os.getpid()
    if (process, settings) not in _stores:
        _stores[process, settings] = KINDS[settings.secrets_from](settings)
    return _stores[process, settings]


def read(store: SecretStore, names: Collection[str], *, tries: int = TRIES) -> StoredSecrets:
    """Return what the manager has, asked up to `tries` times. Raises StoreError after at most 10 s."""
    for left in range(tries - 1, -1, -1):
        try:
            return _within(TRY_S, lambda: store.read(names), store.title)
        except StoreError as error:
            if error.is_final or not left:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable: the last try returns or raises")


def _within(limit_s: float, ask: Callable[[], T], title: str) -> T:
    """Return what `ask` returns. It runs in a thread: name servers and libraries have limits of their own, in minutes."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            answer.set_exception(error)

    threading.Thread(target=run, name="secrets", daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError:
        raise StoreError(f"{title} did not answer within {limit_s:g} s") from None


def _combined(given: GivenSecrets, stored: StoredSecrets, source: str) -> GivenSecrets:
    """Return both. Raises ConfigError for a name in both: whichever counted, somebody would change the other in vain."""
    if twice := sorted(given.origins.keys() & stored.secrets.keys()):
        raise ConfigError(f"{', '.join(twice)}: set here and in {source}. Remove it from one of the two.")
    values = {name.lower(): secret.value.strip() for name, secret in stored.secrets.items()}
    origins = {name: SecretOrigin(source, found.version, found.changed_at) for name, found in stored.secrets.items()}
    return GivenSecrets(given.values | values, given.origins | origins)
