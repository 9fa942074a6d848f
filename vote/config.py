"""Every setting of every process, read once from the environment and `.env`, and only here; wrong settings stop the start.

A secret may come from a file named by `NAME_FILE` or from the manager of SECRETS_FROM (`vote.secret_store`). Messages name
the setting and the reason, never the value. `.env.example` lists every setting.
"""

import itertools
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import dotenv
from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from vote import production_rules, setting_errors
from vote.errors import ConfigError
from vote.networks import LOOPBACK
from vote.production_rules import SECRETS, SIGNING_SECRETS
from vote.secret_store import SecretOrigin, SecretStore, StoreSettings, reading
from vote.secret_store.reading import GivenSecrets

LOG_KEEP_HOURS = 72
LOG_SLOW_MS = 200
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the name prometheus_client reads
SECRET_MIN_BYTES = 32  # RFC 7518 §3.2: an HS256 key has at least 256 bits

# Scheme, host and any non-default port; no path, no wildcard, no upper case (RFC 6454 §6.2).
ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII)

RETIRED = {  # since 0.2.0
    "CLIENT_PATIENCE_S": "CLIENT_TIMEOUT_S",
    "BALLOT_LOG_WAIT": "BALLOT_LOG_MIN_REPLICAS",
}
POOLED = ("web", "reports")  # parts that may connect through a pooler (docs/adr/0027)

Network = production_rules.Network


class DatabaseTarget(NamedTuple):
    """The connection of a part: its URL, and the role it sets there (None: the URL's own). `pooled`: a pooler may give
    each transaction another server connection.
    """

    url: str
    set_role: str | None
    pooled: bool = False


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _on_off(value: object) -> object:
    return {"on": True, "off": False}.get(value.lower(), value) if isinstance(value, str) else value


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Settings(StoreSettings):
    """The settings, immutable. Field names are the names of environment variables in lower case."""

    _origins: Mapping[str, SecretOrigin] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Mapping[str, SecretOrigin] | None) -> None:
        """Note where the secrets came from, which `load` passes as the context."""
        self._origins = context or {}

    vote_env: Literal["development", "production"] = "development"
    vote_commit: str = Field(default="unknown", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    flask_secret_key: str = Field(min_length=SECRET_MIN_BYTES)
    flask_secret_key_previous: str | None = Field(default=None, min_length=SECRET_MIN_BYTES)
    jwt_secret: str = Field(min_length=SECRET_MIN_BYTES)
    jwt_secret_previous: str | None = Field(default=None, min_length=SECRET_MIN_BYTES)

    database_url: str | None = None
    database_url_web: str | None = None
    database_url_worker: str | None = None
    database_url_reports: str | None = None
    database_url_backup: str | None = None
    database_replica_url: str | None = None
    database_pooler: Literal["off", "transaction"] = "off"
    redis_url: str | None = None
    ballot_log_url: str | None = None
    database_replica_max_lag_s: float = Field(default=5, ge=1, le=10)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    public_url: str | None = None
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    static_url: Annotated[str, BeforeValidator(lambda value: str(value).rstrip("/"))] = Field(
        default="", pattern=r"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$"
    )
    web_concurrency: int = Field(default_factory=_cores, ge=1, le=256)
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_split)] = ()
    admin_networks: Annotated[tuple[Network, ...], BeforeValidator(_split)] = ()
    metrics_networks: Annotated[tuple[Network, ...], BeforeValidator(_split)] = LOOPBACK
    vote_home: Path = Path(".vote")
    vote_cookie_secure: Annotated[bool, BeforeValidator(_on_off)] = True
    ballot_log_min_replicas: int = Field(default=0, ge=0, le=5)
    vote_log_keep_hours: int = Field(default=LOG_KEEP_HOURS, ge=1)
    journal_keep_days: int = Field(default=365, ge=1)
    account_keep_days: int = Field(default=0, ge=0, le=36_500)
    checkpoint_key: str | None = None
    checkpoint_public_key: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    vote_shards: int = Field(default=8, ge=1, le=1024)
    vote_db_pool: int = Field(default=8, ge=1, le=100)
    vote_db_wait_s: float = Field(default=2, ge=0.1, le=30)
    logins_when_cut_off: Literal["newer", "none"] = "newer"
    log_queries: Annotated[bool, BeforeValidator(_on_off)] = False
    log_slow_ms: int = Field(default=LOG_SLOW_MS, ge=1, le=60_000)
    client_timeout_s: float = Field(default=15, ge=0.5, le=300)
    vote_page_threads: int = Field(default=4, ge=1, le=256)
    vote_hash_threads: int = Field(default=1, ge=1, le=64)

    limit_votes_burst: int = Field(default=400, ge=1, le=1_000_000)
    limit_votes_per_s: int = Field(default=20, ge=1, le=1_000_000)
    limit_api_per_s: int = Field(default=300, ge=1, le=1_000_000)
    limit_sockets_per_account: int = Field(default=50, ge=1, le=1_000_000)
    limit_sockets_per_network: int = Field(default=10_000, ge=1, le=1_000_000)
    limit_login_failures_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    limit_logins_per_minute: int = Field(default=30, ge=1, le=1_000_000)
    limit_mails_per_hour: int = Field(default=120, ge=1, le=1_000_000)
    limit_registrations_per_hour: int = Field(default=600, ge=1, le=1_000_000)

    smtp_url: str | None = None
    mail_from: str | None = None
    email_confirmation: Annotated[bool, BeforeValidator(_on_off)] = False

    backup_folder: Path | None = None
    backup_recipient: str | None = None
    backup_identity: str | None = None
    backup_keep: int = Field(default=7, ge=1, le=1000)
    backup_every_hours: float = Field(default=24, ge=0.01, le=24 * 31)
    backup_sync: Annotated[bool, BeforeValidator(_on_off)] = True

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        if self.public_url is not None and urlsplit(self.public_url).scheme not in ("http", "https"):
            raise ValueError("PUBLIC_URL must start with http:// or https://")
        if not all(ORIGIN.fullmatch(origin) for origin in self.cors_origins):
            raise ValueError(
                "CORS_ORIGINS takes origins as browsers send them, for example https://app.example.org:8443"
            )
        return self

    @model_validator(mode="after")
    def _check_secrets(self) -> Self:
        given = {name: secret for name in SIGNING_SECRETS if (secret := getattr(self, name.lower()))}
        for first, second in itertools.combinations(given, 2):
            if given[first] == given[second]:
                raise ValueError(
                    f"{first} and {second} must differ, or a signature made with one would be valid for the other"
                )
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if self.smtp_url is not None:
            parts = urlsplit(self.smtp_url)
            if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
                raise ValueError("SMTP_URL must be smtp://user:password@host:587 or smtps://user:password@host:465")
            if self.mail_from is None:
                raise ValueError("SMTP_URL needs MAIL_FROM, the sender address of mails")
            if self.public_url is None:
                raise ValueError(
                    "SMTP_URL needs PUBLIC_URL: links in mails start with it, never with a client's Host header"
                )
        return self

    @property
    def secret_origins(self) -> Mapping[str, SecretOrigin]:
        """Return where each secret came from and when it was set, by the name of its setting."""
        return self._origins

    @property
    def names_given(self) -> list[str]:
        """Return the names of the settings that were set here, in files or by a manager, in alphabetical order."""
        return sorted(name.upper() for name in self.model_fields_set)

    @property
    def flask_secret_keys(self) -> list[str]:
        """Return FLASK_SECRET_KEY, then the previous one while it is being replaced."""
        return [key for key in (self.flask_secret_key, self.flask_secret_key_previous) if key]

    @property
    def mail_is_read_here(self) -> bool:
        """Return whether mail is not sent but shown at /outbox: in development without a mail server."""
        return self.vote_env == "development" and self.smtp_url is None

    @property
    def can_mail(self) -> bool:
        """Return whether mail reaches its recipients, or /outbox."""
        return self.smtp_url is not None or self.mail_is_read_here

    @cached_property
    def site_url(self) -> str:
        """Return the base of links in mails: PUBLIC_URL, or the address where this machine reaches the web."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # nosec B104: shown, not bound
        return (self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}").rstrip("/")

    @cached_property
    def log_url(self) -> str:
        """Return the URL of the ballot log's Redis; the cache's when it has none of its own. Raises ConfigError without
        either.
        """
        return _required(self.ballot_log_url or self.redis_url, "REDIS_URL", "redis://127.0.0.1:6379/0")

    @cached_property
    def cache_url(self) -> str:
        """Return the URL of the Redis for cache and rate limits. Raises ConfigError without one."""
        return _required(self.redis_url, "REDIS_URL", "redis://127.0.0.1:6379/0")

    def replica(self) -> DatabaseTarget | None:
        """Return where results are read from a replica, or None without one."""
        return DatabaseTarget(self.database_replica_url, "vote_reports") if self.database_replica_url else None

    def database(self, part: Literal["owner", "web", "worker", "reports", "backup"]) -> DatabaseTarget:
        """Return where `part` connects: its own URL if it has one, else the owner's with SET ROLE. Raises ConfigError."""
        own = None if part == "owner" else getattr(self, f"database_url_{part}")
        pooled = self.database_pooler == "transaction" and part in POOLED
        if own:
            return DatabaseTarget(own, None, pooled)
        if pooled:
            raise ConfigError(
                f"DATABASE_POOLER=transaction needs DATABASE_URL_{part.upper()}, with a login of its own: SET ROLE would"
                " leak through the pooler's connection to its next user."
            )
        owner = _required(self.database_url, "DATABASE_URL", "postgresql://user@host/vote")
        return DatabaseTarget(owner, None if part == "owner" else f"vote_{part}")


def _required(value: str | None, name: str, example: str) -> str:
    if not value:
        raise ConfigError(
            f"{name} is not set. Set it (for example {name}={example}), or start everything with `make run`."
        )
    return value


def _refuse_retired(environ: Mapping[str, str]) -> None:
    """Raise ConfigError for a setting that was renamed: its old name would be ignored."""
    if retired := [old for old in RETIRED if environ.get(old)]:
        raise setting_errors.refused(f"{old} is now called {RETIRED[old]}. Rename it" for old in retired)


def read_environ() -> dict[str, str]:
    """Return `.env` of the working directory, overridden by the environment; empty values count as unset."""
    sources: tuple[Mapping[str, str | None], ...] = (dotenv.dotenv_values(".env"), os.environ)
    return {name: value for source in sources for name, value in source.items() if value}


def metrics_folder() -> str | None:
    """Return PROMETHEUS_MULTIPROC_DIR. Not from `.env`: the metrics library reads the environment by itself."""
    return os.environ.get(METRICS_FOLDER)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process. Without `environ`, read `.env` of the working directory, overridden by the
    environment, where an empty value empties what `.env` says.

    Raises ConfigError with a line per wrong setting; values are never shown. With a secret manager that does not answer, a
    second call in the same process returns the settings of the first (`vote.secret_store.reading`).
    """
    if environ is None:
        from_file = {name: value for name, value in dotenv.dotenv_values(".env").items() if value is not None}
        environ = {**from_file, **os.environ}
    _refuse_retired(environ)
    return reading.resolve(environ, SECRETS, lambda secrets: _settings(environ, secrets))


def secret_manager(environ: Mapping[str, str]) -> SecretStore | None:
    """Return the manager of SECRETS_FROM, for commands that write secrets; None when it is `env`. Raises ConfigError."""
    return reading.manager(environ, SECRETS)


def _settings(environ: Mapping[str, str], given: GivenSecrets) -> Settings:
    try:
        settings = Settings.model_validate(given.values, context=given.origins)
    except ValidationError as error:
        raise setting_errors.invalid(error) from None
    if settings.vote_env == "production" and (reasons := production_rules.refusals(settings, environ)):
        raise setting_errors.refused(reasons)
    return settings
