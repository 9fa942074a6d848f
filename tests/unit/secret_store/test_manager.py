"""How a secret manager is read: three tries in ten seconds, never a default, and what is known is kept when it goes away.

The managers themselves are in `tests/deploy/secrets`, where they run.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

import pytest
import structlog

from tests.unit.test_config import GOOD
from vote import config
from vote.errors import ConfigError
from vote.secret_store import Secret, SecretOrigin, StoredSecrets, StoreError, StoreSettings, reading

SINCE = datetime(2026, 9, 1, tzinfo=UTC)
STORED = {"FLASK_SECRET_KEY": GOOD["FLASK_SECRET_KEY"], "JWT_SECRET": GOOD["JWT_SECRET"]}
VAULT = {
    "SECRETS_FROM": "vault",
    "SECRETS_NAME": "secret/vote",
    "VAULT_ADDR": "https://vault.example:8200",
    "VAULT_ROLE_ID": "role",
    "VAULT_SECRET_ID": "a-login-that-nobody-may-see",
}
AWAY = StoreError("Vault does not answer: connection refused")


class ManagerInMemory:
    """A manager that answers each reading with the next of `answers`; the last one again and again."""

    title = "a manager"

    def __init__(self, *answers: Mapping[str, str] | Exception | Callable[[], None]) -> None:
        self.answers, self.readings = list(answers), 0

    def read(self, names: Collection[str]) -> StoredSecrets:
        answer = self.answers[min(self.readings, len(self.answers) - 1)]
        self.readings += 1
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer()
            return StoredSecrets({}, "")
        found = {name: Secret(value, "7", SINCE) for name, value in answer.items() if name in names}
        return StoredSecrets(found, str(self.readings))

    def write(self, *_: object) -> None:
        raise AssertionError("a start writes nothing")


Manage = Callable[..., ManagerInMemory]


@pytest.fixture
def manage(monkeypatch: pytest.MonkeyPatch) -> Manage:
    """`manage(answer, …)`: the manager of this test."""
    monkeypatch.setattr(reading, "_stores", {})
    monkeypatch.setattr(reading, "_kept", {})
    monkeypatch.setattr(reading, "PAUSE_S", 0)

    def put(*answers: Mapping[str, str] | Exception | Callable[[], None]) -> ManagerInMemory:
        made = ManagerInMemory(*answers)
        monkeypatch.setitem(reading.KINDS, "vault", lambda _settings: made)
        return made

    return put


def test_settings_take_what_the_manager_has_and_know_version_and_time(manage: Manage) -> None:
    manage(STORED)

    given = config.load(VAULT)

    assert given.jwt_secret == STORED["JWT_SECRET"]
    assert given.secret_origins["JWT_SECRET"] == SecretOrigin("Vault", "7", SINCE)
    assert given.secret_origins["VAULT_SECRET_ID"] == SecretOrigin("environment")


def test_a_manager_that_fails_twice_is_asked_a_third_time(manage: Manage) -> None:
    manager = manage(AWAY, AWAY, STORED)

    assert config.load(VAULT).jwt_secret == STORED["JWT_SECRET"]
    assert manager.readings == 3


def test_the_start_ends_with_the_reason_after_three_tries(manage: Manage) -> None:
    manager = manage(AWAY)

    with pytest.raises(ConfigError, match=r"^Vault does not answer: connection refused\.$"):
        config.load(VAULT)
    assert manager.readings == reading.TRIES


def test_a_refusal_that_will_not_change_is_not_asked_for_again(manage: Manage) -> None:
    manager = manage(StoreError("the policy does not let it read it", is_final=True))

    with pytest.raises(ConfigError, match="policy"):
        config.load(VAULT)
    assert manager.readings == 1


def test_a_manager_that_hangs_ends_the_start_too(manage: Manage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TRY_S", 0.05)
    hangs = threading.Event()
    manage(lambda: hangs.wait(30) and None)
    began = time.monotonic()

    with pytest.raises(ConfigError, match=r"did not answer within 0\.05 s"):
        config.load(VAULT)

    hangs.set()
    assert time.monotonic() - began < 10


def test_the_limits_outside_of_tests_are_ten_seconds_in_all() -> None:
    assert reading.TRIES * reading.TRY_S + (reading.TRIES - 1) * reading.PAUSE_S == 10.0


def test_a_secret_that_the_manager_does_not_have_has_no_default(manage: Manage) -> None:
    manage({"JWT_SECRET": STORED["JWT_SECRET"]})

    with pytest.raises(ConfigError, match="FLASK_SECRET_KEY: Field required"):
        config.load(VAULT)


def test_a_name_in_both_places_is_refused_whichever_is_right(manage: Manage) -> None:
    """Whoever changed the other one would believe that the key is rotated."""
    manage(STORED)

    with pytest.raises(ConfigError, match="JWT_SECRET: set here and in Vault") as refusal:
        config.load({**VAULT, "JWT_SECRET": GOOD["JWT_SECRET"]})
    assert GOOD["JWT_SECRET"] not in str(refusal.value)


# --- later, in a process that runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [AWAY, StoreError("no rights", is_final=True), {**STORED, "JWT_SECRET": "too-short"}])
def test_a_running_process_keeps_what_it_has_and_says_so(manage: Manage, later: Mapping[str, str] | Exception) -> None:
    manager = manage(STORED, later)
    first = config.load(VAULT)

    with structlog.testing.capture_logs() as lines:
        again = config.load(VAULT)

    assert again == first
    assert manager.readings == 2, "one try: what is known is there at once"
    (line,) = lines
    assert line["log_level"] == "error"
    assert line["event"] == "new secrets not taken, earlier ones kept"
    assert "too-short" not in str(line)


def test_a_process_that_is_forked_while_the_manager_is_away_has_its_parents_secrets(manage: Manage) -> None:
    """gunicorn replaces a web process that was killed, also while the manager is down."""
    manage(STORED, AWAY)
    config.load(VAULT)

    child = os.fork()
    if child == 0:
        os._exit(0 if config.load(VAULT).jwt_secret == STORED["JWT_SECRET"] else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_another_reading_takes_what_is_new(manage: Manage) -> None:
    manage(STORED, {**STORED, "JWT_SECRET": GOOD["JWT_SECRET_PREVIOUS"]})
    config.load(VAULT)

    assert config.load(VAULT).jwt_secret == GOOD["JWT_SECRET_PREVIOUS"]


# --- settings of managers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"SECRETS_FROM": "gcp"}, "SECRETS_FROM: Input should be"),
        ({"SECRETS_NAME": ""}, "needs SECRETS_NAME"),
        ({"SECRETS_FROM": "aws", "SECRETS_NAME": ""}, "needs SECRETS_NAME"),
        ({"SECRETS_FROM": "azure"}, "needs AZURE_KEYVAULT_URL"),
        ({"SECRETS_FROM": "azure", "AZURE_KEYVAULT_URL": "http://vote.vault.azure.net"}, "needs AZURE_KEYVAULT_URL"),
        ({"VAULT_ADDR": "vault.example:8200"}, "needs VAULT_ADDR"),
        ({"VAULT_SECRET_ID": ""}, "needs either VAULT_ROLE_ID and VAULT_SECRET_ID"),
        ({"VAULT_KUBERNETES_ROLE": "vote"}, "needs either VAULT_ROLE_ID and VAULT_SECRET_ID"),
        ({"SECRETS_REFRESH_S": "1"}, "SECRETS_REFRESH_S: Input should be greater than or equal to 10"),
        ({"VAULT_CACERT": "/nonexistent"}, "VAULT_CACERT cannot be read"),
        ({"VAULT_ADDR": "http://vault.example:8200", "VOTE_ENV": "production"}, "VAULT_ADDR must begin with https"),
    ],
)
def test_wrong_settings_of_a_manager_are_refused_before_it_is_asked(changed: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refusal:
        config.load({**VAULT, **changed})
    assert VAULT["VAULT_SECRET_ID"] not in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "library"), [("aws", "boto3"), ("azure", "azure.identity"), ("azure", "azure.keyvault.secrets")]
)
def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, kind: str, library: str) -> None:
    def find(name: str) -> object:
        if name == library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return object()

    monkeypatch.setattr("importlib.import_module", find)
    monkeypatch.setattr(reading, "_stores", {})

    with pytest.raises(
        ConfigError, match=rf"needs {library}, which is not installed: pip install 'vote-app\[{kind}\]'"
    ):
        config.load(
            {"SECRETS_FROM": kind, "SECRETS_NAME": "vote", "AZURE_KEYVAULT_URL": "https://vote.vault.azure.net"}
        )


def test_settings_of_managers_are_not_shown() -> None:
    assert VAULT["VAULT_SECRET_ID"] not in repr(StoreSettings(**{name.lower(): text for name, text in VAULT.items()}))


def test_no_two_sources_have_the_same_name() -> None:
    assert reading.KINDS.keys() == reading.SOURCES.keys()
    assert not any(one == other for one, other in itertools.combinations(reading.SOURCES.values(), 2))
