"""Vault's API, as OpenBao's real server speaks it: what is read, what is refused and why, and that a token lives on."""

import http.client
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.certificates import Authority
from tests.deploy.secrets import kubernetes_api
from tests.deploy.secrets.openbao import NOTHING, OTHER, READ, WRITE, OpenBao
from tests.stack import wait_until
from tests.unit.test_config import GOOD
from vote import config
from vote.errors import ConfigError
from vote.secret_store import StoreError, StoreSettings, vault
from vote.secret_store.vault import VaultStore

STORED = {"FLASK_SECRET_KEY": GOOD["FLASK_SECRET_KEY"], "JWT_SECRET": GOOD["JWT_SECRET"]}
NAMES = (*GOOD, "REDIS_URL")


def store_of(client: dict[str, str], **changed: Any) -> VaultStore:
    given = StoreSettings.model_validate({name.lower(): value for name, value in client.items()})
    return VaultStore(given.model_copy(update=changed))


def refused(client: dict[str, str]) -> str:
    """Why a process with these settings does not start. The reason never has a secret, nor the login."""
    with pytest.raises(ConfigError) as refusal:
        config.load(client)
    text = str(refusal.value)
    assert not [value for value in (*GOOD.values(), client["VAULT_SECRET_ID"]) if value and value in text]
    return text


# --- reading ----------------------------------------------------------------------------------------------------------


def test_settings_come_from_the_secret_with_version_and_time(bao: OpenBao) -> None:
    bao.put(STORED)
    began = time.time()

    given = config.load({**bao.client(), "VOTE_ENV": "production"})

    assert {name: getattr(given, name.lower()) for name in STORED} == STORED
    origin = given.secret_origins["JWT_SECRET"]
    assert (origin.source, origin.version) == ("Vault", "1")
    assert origin.changed_at is not None
    assert abs(origin.changed_at.timestamp() - began) < 60


def test_a_value_is_as_old_as_the_version_that_set_it(bao: OpenBao) -> None:
    """A new mail password in the same secret must not make an old key look young."""
    bao.put(STORED)
    bao.put({**STORED, "JWT_SECRET": GOOD["JWT_SECRET_PREVIOUS"]})
    bao.put({**STORED, "JWT_SECRET": GOOD["JWT_SECRET_PREVIOUS"], "REDIS_URL": "unix:///run/redis.sock"})

    found = store_of(bao.client()).read(NAMES).secrets

    assert {name: found[name].version for name in found} == {
        "FLASK_SECRET_KEY": "1",
        "JWT_SECRET": "2",
        "REDIS_URL": "3",
    }


def test_a_pod_logs_in_with_its_own_token(bao: OpenBao, authority: Authority, tmp_path: Path) -> None:
    bao.put(STORED)
    token = tmp_path / "token"
    token.write_text(kubernetes_api.pod_token())
    with kubernetes_api.reviewing(authority) as api:
        bao.ask("POST", "sys/auth/cluster-1", {"type": "kubernetes"})
        how = {"kubernetes_host": api, "kubernetes_ca_cert": authority.ca.read_text()}
        bao.ask("POST", "auth/cluster-1/config", {**how, "token_reviewer_jwt": kubernetes_api.pod_token()})
        bao.allow("pods", READ)
        role = {
            "bound_service_account_names": kubernetes_api.ACCOUNT,
            "bound_service_account_namespaces": kubernetes_api.NAMESPACE,
            "token_policies": ["pods"],
        }
        bao.ask("POST", "auth/cluster-1/role/vote-app", role)
        client = {
            name: value for name, value in bao.client().items() if name not in ("VAULT_ROLE_ID", "VAULT_SECRET_ID")
        }
        client |= {
            "VAULT_KUBERNETES_ROLE": "vote-app",
            "VAULT_AUTH_PATH": "cluster-1",
            "VAULT_KUBERNETES_TOKEN_FILE": str(token),
        }

        assert config.load(client).jwt_secret == STORED["JWT_SECRET"]
        token.write_text(kubernetes_api.pod_token("forged"))
        with pytest.raises(StoreError, match="Vault refuses the login at auth/cluster-1/login: 403 permission denied"):
            store_of(client).read(NAMES)
        token.unlink()
        with pytest.raises(StoreError, match="VAULT_KUBERNETES_TOKEN_FILE cannot be read: No such file"):
            store_of(client).read(NAMES)


# --- refused at start -------------------------------------------------------------------------------------------------


def test_a_secret_that_is_not_there_has_no_default(bao: OpenBao) -> None:
    assert "FLASK_SECRET_KEY: Field required" in refused(bao.client())


def test_wrong_rights_are_named(bao: OpenBao) -> None:
    bao.put(STORED)

    assert "does not let it find it" in refused(bao.client(NOTHING))
    assert "does not let it read it" in refused(bao.client(OTHER))


def test_a_wrong_login_is_named(bao: OpenBao) -> None:
    assert "Vault refuses the login at auth/approle/login: 400" in refused({**bao.client(), "VAULT_SECRET_ID": "wrong"})


def test_a_sealed_vault_is_named(bao: OpenBao) -> None:
    client = bao.client()
    bao.seal()

    assert refused(client).endswith("is not available: Vault is sealed.")


def test_a_vault_that_is_down_ends_the_start(bao: OpenBao) -> None:
    client = bao.client()
    bao.kill()

    assert f"Vault at {bao.address} does not answer" in refused(client)


def test_a_vault_that_hangs_ends_the_start_in_ten_seconds(bao: OpenBao) -> None:
    client = bao.client()
    bao.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()

    text = refused(client)

    assert "did not answer within 3 s" in text or "timed out" in text
    assert time.monotonic() - began < 10.5


def test_a_certificate_of_another_authority_is_refused(bao: OpenBao) -> None:
    client = {name: value for name, value in bao.client().items() if name != "VAULT_CACERT"}

    assert "certificate verify failed" in refused(client)


def test_values_that_are_no_text_are_refused(bao: OpenBao) -> None:
    bao.put({**STORED, "JWT_SECRET": {"nested": GOOD["JWT_SECRET"]}})

    assert "must be names with texts as values" in refused(bao.client())


def test_version_1_of_the_engine_is_refused(bao: OpenBao) -> None:
    bao.ask("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    client = bao.client('path "old/*" { capabilities = ["read"] }')

    assert "is not in a KV engine of version 2" in refused({**client, "SECRETS_NAME": "old/vote"})


# --- a process that runs on -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [OpenBao.kill, OpenBao.seal], ids=["killed", "sealed"])
def test_a_running_process_goes_on_while_vault_is_away_and_reads_again_when_it_is_back(
    bao: OpenBao, away: Callable[[OpenBao], None]
) -> None:
    bao.put(STORED)
    client = bao.client()
    first = config.load(client)

    away(bao)
    with structlog.testing.capture_logs() as lines:
        assert config.load(client) == first
    assert [line["log_level"] for line in lines] == ["error"]

    if away is OpenBao.kill:
        bao.start()
    bao.unseal()
    bao.put({**STORED, "JWT_SECRET": GOOD["JWT_SECRET_PREVIOUS"]})
    assert config.load(client).jwt_secret == GOOD["JWT_SECRET_PREVIOUS"]


def test_one_login_serves_all_readings_and_its_token_is_renewed(bao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> None:
    bao.put(STORED)
    calls: list[str] = []
    request = http.client.HTTPSConnection.request

    def note(self: http.client.HTTPSConnection, method: str, path: str, *rest: Any) -> None:
        calls.append(path.partition("?")[0])
        request(self, method, path, *rest)

    store = store_of(bao.client(token_ttl="1h", token_max_ttl="24h"), secrets_refresh_s=300)
    monkeypatch.setattr(http.client.HTTPSConnection, "request", note)
    store.read(NAMES)
    store.read(NAMES)
    assert calls.count("/v1/auth/approle/login") == 1

    now = time.monotonic()
    monkeypatch.setattr(vault.time, "monotonic", lambda: now + 3600 - 300)  # it would end before the next reading
    store.read(NAMES)
    assert calls.count("/v1/auth/token/renew-self") == 1
    monkeypatch.setattr(vault.time, "monotonic", lambda: now + 3600 + 100)  # by now the first hour is over
    store.read(NAMES)
    assert calls.count("/v1/auth/token/renew-self") == 1
    assert calls.count("/v1/auth/approle/login") == 1


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_token_that_has_ended_is_replaced(bao: OpenBao, end: str) -> None:
    bao.put(STORED)
    client = bao.client(token_ttl="1s" if end == "expired" else "1h", token_max_ttl="1s" if end == "expired" else "1h")
    store = store_of(client)
    store.read(NAMES)

    first = store._token
    assert first is not None
    if end == "expired":
        store._token = first._replace(expires_at=time.monotonic() + 3600)  # by a clock that is slow
    else:
        bao.revoke_tokens()
    wait_until(lambda: not bao.is_alive(first.text), what="the token has ended")

    assert store.read(NAMES).secrets.keys() == STORED.keys()


def test_rights_that_were_taken_away_are_not_mistaken_for_an_ended_token(bao: OpenBao) -> None:
    bao.put(STORED)
    client = bao.client()
    store = store_of(client)
    store.read(NAMES)
    bao.allow(bao.newest_role, OTHER)

    with pytest.raises(StoreError, match="policy"):
        store.read(NAMES)


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_write_keeps_what_is_not_ours_and_does_not_undo_somebody_elses(bao: OpenBao) -> None:
    store = store_of(bao.client(WRITE))
    store.write({"JWT_SECRET": "first"}, store.read(NAMES))
    bao.put({**bao.stored(), "SOMETHING_ELSE": "theirs"})
    seen = store.read(NAMES)

    store.write({"JWT_SECRET": "second", "REDIS_URL": ""}, seen)
    with pytest.raises(StoreError, match="changed by somebody else"):
        store.write({"JWT_SECRET": "third"}, seen)

    assert bao.stored() == {"JWT_SECRET": "second", "SOMETHING_ELSE": "theirs"}


def test_a_deleted_secret_can_be_written_again(bao: OpenBao) -> None:
    bao.put(STORED)
    bao.ask("DELETE", "secret/data/vote")
    metadata = 'path "secret/metadata/vote" { capabilities = ["read"] }'
    store = store_of(bao.client(f"{WRITE}\n{metadata}"))

    store.write(STORED, store.read(NAMES))

    assert bao.stored() == STORED


def test_who_may_only_read_cannot_write(bao: OpenBao) -> None:
    bao.put(STORED)
    store = store_of(bao.client(READ))

    with pytest.raises(StoreError, match="does not let it write it"):
        store.write({"JWT_SECRET": "mine"}, store.read(NAMES))
    assert bao.stored() == STORED
