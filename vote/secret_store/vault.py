"""Vault's and OpenBao's KV version 2, over their HTTP API: five calls, which the standard library makes well.

One secret, SECRETS_NAME (mount and path, such as `secret/vote`), holds all names. Log-in by AppRole or by a Kubernetes
service account; the token is renewed while it is used and replaced when it cannot be. Redirects are not followed: they would
carry the token to another host. API: https://openbao.org/api-docs/secret/kv/kv-v2/
"""

import http.client
import json
import ssl
import time
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from vote.errors import ConfigError
from vote.secret_store import CALL_S, Secret, StoredSecrets, StoreError, StoreSettings, changed_meanwhile, merged, texts

ANSWER_MAX_BYTES = 2**20  # Vault's own limit for a secret is half of it
HISTORY = 10  # versions a KV 2 secret keeps by default
DENIED, NOT_FOUND, CONFLICT = 403, 404, 400


class _VaultToken(NamedTuple):
    text: str
    expires_at: float  # time.monotonic
    lasts_s: float
    is_renewable: bool


class _KvVersion(NamedTuple):
    number: int
    created_at: datetime
    values: Mapping[str, str]


class VaultStore:
    """A KV 2 secret. `write` compares and sets by its version."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings, self._name = settings, settings.secrets_name.strip("/")
        self._address = urlsplit(settings.vault_addr or "")
        self._tls = _tls(settings) if self._address.scheme == "https" else None
        self._token: _VaultToken | None = None
        self._known = StoredSecrets({}, "")
        self._place = f"{self._address.scheme}://{self._address.netloc.rpartition('@')[2]}"
        self.title = f"Vault's secret {settings.secrets_name}"

    def read(self, names: Collection[str]) -> StoredSecrets:
        """Return the names that the newest version has, each with the version that set its value."""
        newest = self._version(mount := self._mount())
        if newest is None:
            self._known = StoredSecrets({}, "")
        elif str(newest.number) != self._known.revision:
            since = self._since(mount, newest)
            secrets = {
                name: Secret(newest.values[name], str(since[name].number), since[name].created_at) for name in since
            }
            self._known = StoredSecrets(secrets, str(newest.number))
        found = {name: secret for name, secret in self._known.secrets.items() if name in names}
        return StoredSecrets(found, self._known.revision)

    def write(self, changes: Mapping[str, str], seen: StoredSecrets) -> None:
        """Write a new version, unless there is a newer one than `seen`."""
        newest = self._version(mount := self._mount())
        values = merged(newest.values if newest else {}, changes)
        body = {"options": {"cas": int(seen.revision or self._removed(mount))}, "data": values}
        status, answer = self._ask("POST", self._path(mount, "data"), body)
        if status == CONFLICT and "check-and-set" in _errors(answer):
            raise changed_meanwhile(self.title)
        self._refuse_unless_ok(status, answer, "write")

    def _removed(self, mount: str) -> int:
        """Return the number of the version that a new secret follows: 0, unless an earlier one was deleted."""
        status, answer = self._ask("GET", self._path(mount, "metadata"))
        return int(answer["data"]["current_version"]) if status == http.client.OK else 0

    # --- the secret ------------------------------------------------------------------------------------------------------
    def _since(self, mount: str, newest: _KvVersion) -> dict[str, _KvVersion]:
        """Return for each name the oldest version, without a break, that has its present value: its age is the value's."""
        since = dict.fromkeys((name for name, value in newest.values.items() if value), newest)
        older: _KvVersion | None = newest
        for number in range(newest.number - 1, max(0, newest.number - HISTORY), -1):
            older = self._version(mount, number)
            same = {
                name
                for name in since
                if older and since[name].number == number + 1 and older.values.get(name) == newest.values[name]
            }
            if older is None or not same:
                break
            since |= dict.fromkeys(same, older)
        return since

    def _version(self, mount: str, number: int = 0) -> _KvVersion | None:
        """Return a version (0: the newest), or None when there is none or it was deleted."""
        status, answer = self._ask("GET", self._path(mount, "data") + (f"?version={number}" if number else ""))
        if status == NOT_FOUND:
            return None
        self._refuse_unless_ok(status, answer, "read")
        told = answer["data"]["metadata"]
        created_at = datetime.fromisoformat(told["created_time"][:19] + "+00:00")  # without its nanoseconds
        return _KvVersion(told["version"], created_at, texts(answer["data"]["data"], self.title))

    def _mount(self) -> str:
        """Return where the KV engine of SECRETS_NAME is mounted: a mount's name may have slashes too."""
        status, answer = self._ask("GET", f"sys/internal/ui/mounts/{quote(self._name)}")
        self._refuse_unless_ok(status, answer, "find")
        if (answer["data"].get("options") or {}).get("version") != "2":
            raise StoreError(f"{self.title} is not in a KV engine of version 2", is_final=True)
        return str(answer["data"]["path"])

    def _path(self, mount: str, kind: str) -> str:
        return quote(f"{mount}{kind}/{self._name.removeprefix(mount)}")

    def _refuse_unless_ok(self, status: int, answer: Mapping[str, Any], verb: str) -> None:
        if status == DENIED:
            raise StoreError(f"{self.title}: the policy of this login does not let it {verb} it", is_final=True)
        if status not in (http.client.OK, http.client.NO_CONTENT):
            raise StoreError(f"{self.title}: Vault answers {status} {_errors(answer)}".strip(), is_final=status < 429)

    # --- log-in ----------------------------------------------------------------------------------------------------------
    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Call with a valid token. Log in again, once, when the token was revoked."""
        before = self._token
        self._token = self._valid_token()
        status, answer = self._call(method, path, body, token=self._token.text)
        if status == DENIED and self._token is before:
            self._token = self._log_in()
            status, answer = self._call(method, path, body, token=self._token.text)
        return status, answer

    def _valid_token(self) -> _VaultToken:
        """Return the token; renewed when it would end before the next reading, replaced when renewing does not help."""
        token = self._token
        if token is None or token.expires_at <= time.monotonic():
            return self._log_in()
        needed_until = time.monotonic() + min(2 * self._settings.secrets_refresh_s, token.lasts_s / 2)
        if token.expires_at > needed_until:
            return token
        if token.is_renewable:
            status, answer = self._call("POST", "auth/token/renew-self", {}, token=token.text)
            if status == http.client.OK and (renewed := _token(answer)).expires_at > needed_until:
                return renewed
        return self._log_in()

    def _log_in(self) -> _VaultToken:
        given = self._settings
        body: dict[str, str | None]
        if given.vault_kubernetes_role:
            try:
                jwt = given.vault_kubernetes_token_file.read_text("ascii").strip()
            except OSError as error:
                raise StoreError(
                    f"VAULT_KUBERNETES_TOKEN_FILE cannot be read: {error.strerror}", is_final=True
                ) from None
            kind, body = "kubernetes", {"role": given.vault_kubernetes_role, "jwt": jwt}
        else:
            kind, body = "approle", {"role_id": given.vault_role_id, "secret_id": given.vault_secret_id}
        path = f"auth/{quote((given.vault_auth_path or kind).strip('/'))}/login"
        status, answer = self._call("POST", path, body)
        if status != http.client.OK:
            raise StoreError(f"Vault refuses the login at {path}: {status} {_errors(answer)}", is_final=status < 429)
        return _token(answer)

    def _call(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON of an answer. Raises StoreError when there is none, or Vault is sealed."""
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        headers |= {"X-Vault-Token": token} if token else {}
        headers |= {"X-Vault-Namespace": self._settings.vault_namespace} if self._settings.vault_namespace else {}
        connection = self._connection()
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"{self._address.path.rstrip('/')}/v1/{path}", text, headers)
            answer = connection.getresponse()
            found = dict(json.loads(answer.read(ANSWER_MAX_BYTES) or b"{}"))
        except (OSError, http.client.HTTPException, ValueError, TypeError) as error:
            raise StoreError(f"Vault at {self._place} does not answer: {error}") from None
        finally:
            connection.close()
        if http.client.MULTIPLE_CHOICES <= answer.status < http.client.BAD_REQUEST:
            raise StoreError("VAULT_ADDR redirects: set it to the address that answers itself", is_final=True)
        if answer.status == http.client.SERVICE_UNAVAILABLE:
            raise StoreError(f"Vault at {self._place} is not available: {_errors(found)}")
        return answer.status, found

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=CALL_S)
        return http.client.HTTPSConnection(host, port, timeout=CALL_S, context=self._tls)


def _tls(settings: StoreSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.vault_cacert)
    except OSError as error:
        raise ConfigError(f"VAULT_CACERT cannot be read: {error.strerror or 'it holds no certificate'}.") from None


def _token(answer: Mapping[str, Any]) -> _VaultToken:
    auth, now = answer["auth"], time.monotonic()
    lasts_s = float(auth["lease_duration"]) or float("inf")  # 0: it never ends
    return _VaultToken(auth["client_token"], now + lasts_s, lasts_s, auth["renewable"])


def _errors(answer: Mapping[str, Any]) -> str:
    return "; ".join(str(error).strip() for error in answer.get("errors") or [])[:200]
