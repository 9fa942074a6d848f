"""Azure Key Vault: one secret per name, SECRETS_NAME (a prefix, may be empty) and the name with hyphens, in lower case.

`vote-` makes `vote-flask-secret-key` of FLASK_SECRET_KEY. The log-in is azure-identity's default (the extra `azure`):
workload or managed identity, or its AZURE_… variables. It may list and read secrets ("Key Vault Secrets User"); `vote
secrets` writes them too ("Key Vault Secrets Officer").
"""

from collections.abc import Collection
from typing import Any

from vote.secret_store import CALL_S, Secret, StoreError, StoreSettings, library
from vote.secret_store.piecewise import PiecewiseStore


class AzureStore(PiecewiseStore):
    """Secrets of a key vault. A name is removed by disabling it: a deleted one could not be set again for weeks."""

    def __init__(self, settings: StoreSettings) -> None:
        identity = library("azure.identity", extra="azure")
        secrets = library("azure.keyvault.secrets", extra="azure")
        self._errors = library("azure.core.exceptions", extra="azure")
        limits = {"connection_timeout": CALL_S, "read_timeout": CALL_S, "retry_total": 0}
        self._client = secrets.SecretClient(
            settings.azure_keyvault_url, identity.DefaultAzureCredential(**limits), **limits
        )
        self._prefix = settings.secrets_name
        self.title = f"Azure Key Vault {settings.azure_keyvault_url}"

    def read_each(self, names: Collection[str]) -> dict[str, Secret]:
        """Return the enabled secrets among `names`."""
        wanted = {self._name(name): name for name in names}
        enabled = [each.name.lower() for each in self._list() if each.enabled is not False]
        return {wanted[name]: self._get(name) for name in enabled if name in wanted}

    def write_one(self, name: str, value: str) -> None:
        """Set a new version of a secret, or disable the present one."""
        if value:
            self._ask(lambda: self._client.set_secret(self._name(name), value))
        elif self._name(name) in [each.name.lower() for each in self._list()]:
            self._ask(lambda: self._client.update_secret_properties(self._name(name), enabled=False))

    def _name(self, name: str) -> str:
        return f"{self._prefix}{name.replace('_', '-')}".lower()

    def _list(self) -> list[Any]:
        return self._ask(lambda: list(self._client.list_properties_of_secrets()))  # type: ignore[no-any-return]

    def _get(self, name: str) -> Secret:
        found = self._ask(lambda: self._client.get_secret(name))
        return Secret((found.value or "").strip(), found.properties.version, found.properties.created_on)

    def _ask(self, call: Any) -> Any:
        try:
            return call()
        except self._errors.ClientAuthenticationError as error:
            raise StoreError(f"{self.title} refuses the login: {_first_line(error)}", is_final=True) from None
        except self._errors.HttpResponseError as error:
            is_final = 400 <= (error.status_code or 500) < 429
            raise StoreError(f"{self.title}: {error.status_code} {_first_line(error)}", is_final=is_final) from None
        except (self._errors.AzureError, ValueError) as error:
            raise StoreError(f"{self.title} cannot be reached: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
