"""Secrets kept by a manager: one interface for AWS Secrets Manager, Azure Key Vault and Vault. Only `vote.config` uses it.

`aws.py`, `azure.py` and `vault.py` are the managers, `reading.py` reads one at start and again later. Errors name places and
reasons, never values.
"""

import importlib
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vote.errors import ConfigError

CALL_S = 3.0  # for one call to a manager, which answers in milliseconds
PREVIOUS = "_PREVIOUS"  # ends the name of a key whose signatures are still accepted
KUBERNETES_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")  # where Kubernetes mounts it


class StoreSettings(BaseModel):
    """The settings that say where secrets come from, and how to log in there. `vote.config.Settings` has them too."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """Show nothing: settings hold secrets, and passwords in URLs."""
        yield from ()

    secrets_from: Literal["env", "aws", "azure", "vault"] = "env"
    secrets_name: str = ""
    secrets_refresh_s: float = Field(default=300, ge=10, le=86_400)

    azure_keyvault_url: str | None = None
    vault_addr: str | None = None
    vault_cacert: Path | None = None
    vault_namespace: str | None = None
    vault_auth_path: str | None = None
    vault_role_id: str | None = None
    vault_secret_id: str | None = None
    vault_kubernetes_role: str | None = None
    vault_kubernetes_token_file: Path = KUBERNETES_TOKEN

    @model_validator(mode="after")
    def _check_manager(self) -> Self:
        if self.secrets_from in ("aws", "vault") and not self.secrets_name:
            raise ValueError(f"SECRETS_FROM={self.secrets_from} needs SECRETS_NAME, the name of the secret to read")
        if self.secrets_from == "azure" and urlsplit(self.azure_keyvault_url or "").scheme != "https":
            raise ValueError("SECRETS_FROM=azure needs AZURE_KEYVAULT_URL, such as https://<vault>.vault.azure.net")
        if self.secrets_from == "vault":
            self._check_vault()
        return self

    def _check_vault(self) -> None:
        address = urlsplit(self.vault_addr or "")
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("SECRETS_FROM=vault needs VAULT_ADDR, such as https://vault.example.org:8200")
        by_role = bool(self.vault_role_id and self.vault_secret_id)
        if by_role == bool(self.vault_kubernetes_role):
            raise ValueError(
                "SECRETS_FROM=vault needs either VAULT_ROLE_ID and VAULT_SECRET_ID (AppRole) or VAULT_KUBERNETES_ROLE"
            )


class Secret(NamedTuple):
    """A secret as its manager has it: `version` as the manager names it, and when this value was set."""

    value: str
    version: str
    changed_at: datetime | None


class SecretOrigin(NamedTuple):
    """A note of where a secret came from: `source` for people, its version there, and when it was set (None: unknown)."""

    source: str
    version: str = ""
    changed_at: datetime | None = None


class StoredSecrets(NamedTuple):
    """The secrets of one moment by the names of their settings. `revision` is empty when nothing is stored yet."""

    secrets: Mapping[str, Secret]
    revision: str


class SecretStore(Protocol):
    """A place that keeps secrets. Every method raises StoreError."""

    title: str  # for people, without anything secret

    def read(self, names: Collection[str]) -> StoredSecrets:
        """Return those of `names` that are stored; an empty value counts as not stored."""

    def write(self, changes: Mapping[str, str], seen: StoredSecrets) -> None:
        """Store all changes or none; an empty value removes. Refuse when something was changed since `seen` was read."""


class StoreError(Exception):
    """A manager that cannot be used now. `is_final`: asking again would get the same answer."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


def library(name: str, *, extra: str) -> Any:
    """Return an optional library. Raises ConfigError with the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"SECRETS_FROM={extra} needs {error.name or name}, which is not installed: pip install 'vote-app[{extra}]'."
        ) from error


def merged(stored: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Return a manager's names and values after `changes`. A previous key that was emptied stays, as empty: AWS would
    otherwise supply it from the version before.
    """
    return {name: value for name, value in {**stored, **changes}.items() if value or name.endswith(PREVIOUS)}


def texts(bag: object, title: str) -> dict[str, str]:
    """Return the names and values of a secret that holds several. Raises StoreError unless all values are text."""
    if not isinstance(bag, dict) or not all(isinstance(value, str) for value in bag.values()):
        raise StoreError(f"{title} must be names with texts as values, such as FLASK_SECRET_KEY", is_final=True)
    return bag


def changed_meanwhile(title: str) -> StoreError:
    """Return the refusal of a write that would undo somebody else's."""
    return StoreError(f"{title} was changed by somebody else meanwhile: nothing was written. Try again", is_final=True)
