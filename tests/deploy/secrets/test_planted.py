"""The tests beside this one go red when what they are for is broken: each fault is planted, and its test has to fail."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from tests.deploy.secrets import test_aws, test_azure, test_commands, test_vault
from vote.errors import ConfigError
from vote.secret_store import StoreError, aws, azure, vault

Plant = Callable[[pytest.MonkeyPatch], None]


class Planted(NamedTuple):
    """A fault, the test that has to see it, and arguments of the test that are no fixtures of their own."""

    name: str
    plant: Plant
    test: Callable[..., None]
    given: Mapping[str, str] = {}


def no_renewal(patch: pytest.MonkeyPatch) -> None:
    made = vault._token
    patch.setattr(vault, "_token", lambda answer: made(answer)._replace(is_renewable=False))


def no_second_login(patch: pytest.MonkeyPatch) -> None:
    def ask(self: vault.VaultStore, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        self._token = self._valid_token()
        return self._call(method, path, body, token=self._token.text)

    patch.setattr(vault.VaultStore, "_ask", ask)


def no_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    call = vault.VaultStore._call

    def without_cas(
        self: vault.VaultStore, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> Any:
        return call(self, method, path, {**body, "options": {}} if body and "options" in body else body, token=token)

    patch.setattr(vault.VaultStore, "_call", without_cas)


def no_check_of_certificates(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(vault.ssl, "create_default_context", lambda **_: vault.ssl._create_unverified_context())


def young_as_the_newest_version(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(vault.VaultStore, "_since", lambda _self, _mount, newest: dict.fromkeys(newest.values, newest))


def answers_in_full(patch: pytest.MonkeyPatch) -> None:
    """An error that repeats the login it was sent: the test's is `wrong`."""
    patch.setattr(vault, "_errors", lambda _answer: "wrong")


def emptied_keys_are_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(aws, "merged", lambda stored, changes: {n: v for n, v in {**stored, **changes}.items() if v})


def previous_version_as_it_is(patch: pytest.MonkeyPatch) -> None:
    read = aws.AwsStore.read

    def all_of_it(self: aws.AwsStore, names: Any) -> Any:
        found = read(self, names)
        before = self._version(aws.BEFORE)
        given = (
            {f"{n}_PREVIOUS": found.secrets[n]._replace(value=v) for n, v in before.values.items()} if before else {}
        )
        return found._replace(secrets={**found.secrets, **given})

    patch.setattr(aws.AwsStore, "read", all_of_it)


def any_challenge(patch: pytest.MonkeyPatch) -> None:
    library = azure.library

    def trusting(name: str, *, extra: str) -> Any:
        found = library(name, extra=extra)
        if name != "azure.keyvault.secrets":
            return found
        client = found.SecretClient
        return type("Trusting", (), {"SecretClient": lambda *a, **k: client(*a, verify_challenge_resource=False, **k)})

    patch.setattr(azure, "library", trusting)


def disabled_is_there(patch: pytest.MonkeyPatch) -> None:
    found = azure.AzureStore._list

    class Enabled:
        def __init__(self, name: str) -> None:
            self.name, self.enabled = name, True

    patch.setattr(azure.AzureStore, "_list", lambda self: [Enabled(each.name) for each in found(self)])


AWS, AZURE, VAULT = ({"kind": kind} for kind in ("aws", "azure", "vault"))
PLANTED = [
    Planted("no renewal", no_renewal, test_vault.test_one_login_serves_all_readings_and_its_token_is_renewed),
    Planted("no second login", no_second_login, test_vault.test_a_token_that_has_ended_is_replaced, {"end": "revoked"}),
    Planted(
        "no compare-and-set",
        no_compare_and_set,
        test_vault.test_a_write_keeps_what_is_not_ours_and_does_not_undo_somebody_elses,
    ),
    Planted("any certificate", no_check_of_certificates, test_vault.test_a_certificate_of_another_authority_is_refused),
    Planted(
        "ages of the newest version",
        young_as_the_newest_version,
        test_vault.test_a_value_is_as_old_as_the_version_that_set_it,
    ),
    Planted("an error that repeats", answers_in_full, test_vault.test_a_wrong_login_is_named),
    Planted(
        "AWS gives a stolen key back",
        emptied_keys_are_dropped,
        test_commands.test_old_keys_go_a_day_later_and_stolen_ones_at_once,
        AWS,
    ),
    Planted(
        "AWSPREVIOUS as it is",
        previous_version_as_it_is,
        test_aws.test_a_change_of_something_else_makes_no_key_its_own_previous_one,
    ),
    Planted("any challenge", any_challenge, test_azure.test_a_challenge_for_another_vault_gets_no_token),
    Planted("disabled is there", disabled_is_there, test_azure.test_a_disabled_secret_counts_as_not_there),
]


@pytest.fixture
def vault_of_azure(empty_vault: Any) -> Any:
    """What `test_azure.py` calls `vault`."""
    for name, value in {**test_azure.STORED, "other-app-key": "theirs"}.items():
        empty_vault.set(name, value)
    return empty_vault


@pytest.mark.parametrize("planted", PLANTED, ids=[one.name for one in PLANTED])
def test_a_planted_fault_is_seen(planted: Planted, request: pytest.FixtureRequest) -> None:
    arguments: dict[str, Any] = {name: value for name, value in planted.given.items() if name != "kind"}
    for name in inspect.signature(planted.test).parameters:
        if name == "client":
            arguments[name] = dict(request.getfixturevalue(planted.given["kind"]).client)
        elif name not in arguments:
            arguments[name] = request.getfixturevalue("vault_of_azure" if name == "vault" else name)
    planted.plant(request.getfixturevalue("monkeypatch"))

    # An assertion that does not hold, a refusal that did not come, or one that should not have: not a fault of this file.
    with pytest.raises((AssertionError, pytest.fail.Exception, StoreError, ConfigError)):
        planted.test(**arguments)
