"""Azure Key Vault: the real azure-identity and azure-keyvault-secrets, on a stand-in that answers the bearer challenge."""

import pytest

from tests.certificates import Authority
from tests.deploy.secrets.key_vault import TOKEN, KeyVault
from tests.unit.test_config import GOOD
from vote import config
from vote.errors import ConfigError
from vote.secret_store import StoreError, StoreSettings, reading
from vote.secret_store.azure import AzureStore
from vote.secret_store.piecewise import JOURNAL

NAMES = (*GOOD, "SECRETS_ROTATION")
STORED = {"vote-flask-secret-key": GOOD["FLASK_SECRET_KEY"], "vote-jwt-secret": GOOD["JWT_SECRET"]}


@pytest.fixture
def vault(empty_vault: KeyVault) -> KeyVault:
    """A vault with two of our secrets and one of somebody else, and a process that is logged in."""
    for name, value in {**STORED, "other-app-key": "theirs"}.items():
        empty_vault.set(name, value)
    return empty_vault


def store(vault: KeyVault) -> AzureStore:
    return AzureStore(StoreSettings.model_validate({name.lower(): value for name, value in vault.client.items()}))


def refused(vault: KeyVault) -> str:
    with pytest.raises(ConfigError) as refusal:
        config.load(vault.client)
    text = str(refusal.value)
    assert not [value for value in (*GOOD.values(), TOKEN, vault.login["IDENTITY_HEADER"]) if value in text]
    return text


def test_settings_come_from_one_secret_per_name_after_the_challenge(vault: KeyVault) -> None:
    given = config.load({**vault.client, "VOTE_ENV": "production"})

    assert (given.flask_secret_key, given.jwt_secret) == (GOOD["FLASK_SECRET_KEY"], GOOD["JWT_SECRET"])
    assert vault.challenged >= 1
    origin = given.secret_origins["JWT_SECRET"]
    assert (origin.source, origin.version) == ("Azure Key Vault", vault.versions["vote-jwt-secret"][-1]["id"])
    assert origin.changed_at is not None


def test_a_disabled_secret_counts_as_not_there(vault: KeyVault) -> None:
    vault.set("vote-jwt-secret-previous", GOOD["JWT_SECRET_PREVIOUS"], enabled=False)

    assert config.load(vault.client).jwt_secret_previous is None
    vault.set("vote-jwt-secret-previous", GOOD["JWT_SECRET_PREVIOUS"])
    assert config.load(vault.client).jwt_secret_previous == GOOD["JWT_SECRET_PREVIOUS"]


def test_a_secret_that_is_not_there_has_no_default(vault: KeyVault) -> None:
    del vault.versions["vote-jwt-secret"]

    assert "JWT_SECRET: Field required" in refused(vault)


@pytest.mark.parametrize("right", ["list", "get"])
def test_wrong_rights_are_named(vault: KeyVault, right: str) -> None:
    vault.allowed.remove(right)

    assert f"Caller may not {right} secrets" in refused(vault)


def test_a_login_that_is_refused_ends_the_start(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")

    assert f"Azure Key Vault {vault.url} refuses the login" in refused(vault)


def test_a_challenge_for_another_vault_gets_no_token(vault: KeyVault) -> None:
    """Otherwise a vault of somebody else could collect tokens for ours."""
    vault.resource = "https://vault.azure.example"

    assert "does not match the requested domain" in refused(vault)


def test_a_certificate_of_another_authority_is_refused(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    assert "certificate verify failed" in refused(vault)


def test_a_running_process_goes_on_while_the_vault_is_away(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = KeyVault(authority)
    for name, value in gone.login.items():
        monkeypatch.setenv(name, value)
    for name, value in STORED.items():
        gone.set(name, value)
    with gone.running():
        first = config.load(gone.client)

    assert config.load(gone.client) == first
    monkeypatch.setattr(reading, "_kept", {})
    assert "cannot be reached" in refused(gone)


def test_several_secrets_change_together_and_others_stay(vault: KeyVault) -> None:
    made = store(vault)
    changes = {"JWT_SECRET": "new", "JWT_SECRET_PREVIOUS": GOOD["JWT_SECRET"], "SECRETS_ROTATION": "signing"}

    made.write(changes, made.read(NAMES))

    found = {name: secret.value for name, secret in made.read(NAMES).secrets.items()}
    assert found == {"FLASK_SECRET_KEY": GOOD["FLASK_SECRET_KEY"], **changes}
    made.write({"JWT_SECRET_PREVIOUS": "", "SECRETS_ROTATION": ""}, made.read(NAMES))
    assert made.read(NAMES).secrets.keys() == {"FLASK_SECRET_KEY", "JWT_SECRET"}
    assert vault.versions["other-app-key"][-1]["value"] == "theirs"


def test_a_change_that_was_interrupted_is_seen_whole(vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    made = store(vault)
    write_one = made.write_one

    def die_after_the_first_key(name: str, value: str) -> None:
        if name not in (JOURNAL, "JWT_SECRET"):
            raise StoreError("the network is gone")
        write_one(name, value)

    monkeypatch.setattr(made, "write_one", die_after_the_first_key)
    with pytest.raises(StoreError):
        made.write({"JWT_SECRET": "new", "JWT_SECRET_PREVIOUS": GOOD["JWT_SECRET"]}, made.read(NAMES))

    found = store(vault).read(NAMES).secrets
    assert (found["JWT_SECRET"].value, found["JWT_SECRET_PREVIOUS"].value) == ("new", GOOD["JWT_SECRET"])
