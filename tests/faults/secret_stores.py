"""Faults of where secrets come from and of how keys are rotated; the form is that of `fault.py`."""

from tests.faults.fault import Fault

MANAGER, FILES = "tests/unit/secret_store/test_manager.py", "tests/unit/secret_store/test_files.py"
PIECEWISE, ROTATION = "tests/unit/secret_store/test_piecewise.py", "tests/unit/ops/test_key_rotation.py"
COMMAND, ENVIRONMENT = "tests/integration/ops/test_secrets_command.py", "tests/unit/ops/test_environment.py"

SECRET_FAULTS = (
    Fault(
        "a start without its secret manager goes on with what is set here",
        "secrets: a start without the manager ends with the reason",
        "vote/secret_store/reading.py",
        "        if kept is None:\n            raise",
        "        if kept is None:\n            return build(given)\n        if kept is None:\n            raise",
        (f"{MANAGER}::test_the_start_ends_with_the_reason_after_three_tries",),
    ),
    Fault(
        "a secret manager is asked only once",
        "secrets: three tries in ten seconds",
        "vote/secret_store/reading.py",
        "if error.is_final or not left:",
        "if error.is_final or left + 1:",
        (f"{MANAGER}::test_a_manager_that_fails_twice_is_asked_a_third_time",),
    ),
    Fault(
        "a secret manager that goes away takes the web with it",
        "secrets: a running process keeps what it has",
        "vote/secret_store/reading.py",
        "    _kept[settings] = fresh\n",
        "",
        (
            f"{MANAGER}::test_a_running_process_keeps_what_it_has_and_says_so",
            f"{MANAGER}::test_a_process_that_is_forked_while_the_manager_is_away_has_its_parents_secrets",
        ),
    ),
    Fault(
        "a variable that was forgotten hides the key in the manager",
        "secrets: a name in both places is refused",
        "vote/secret_store/reading.py",
        "if twice := sorted(given.origins.keys() & stored.secrets.keys()):",
        "if twice := sorted(set(source) - set(source)):",
        (f"{MANAGER}::test_a_name_in_both_places_is_refused_whichever_is_right",),
    ),
    Fault(
        "the login to a secret manager crosses the network unencrypted",
        "production: secret managers are asked over TLS",
        "vote/secret_store/reading.py",
        'if environ.get("VOTE_ENV") == "production" and (reasons :=',
        "if False and (reasons :=",
        (f"{MANAGER}::test_wrong_settings_of_a_manager_are_refused_before_it_is_asked",),
    ),
    Fault(
        "a URL with a password comes from the environment only",
        "secrets: each may come from a file",
        "vote/production_rules.py",
        "*OTHER_SECRETS, *POSTGRES_URLS, *REDIS_URLS)",
        "*OTHER_SECRETS)",
        (f"{FILES}::test_a_url_may_come_from_a_file",),
    ),
    Fault(
        "a part is told the files of other parts' passwords",
        "no process knows a secret it does not need",
        "vote/ops/environment.py",
        '    others |= {f"{name}_FILE" for name in others}\n',
        "",
        (f"{ENVIRONMENT}::test_a_part_is_given_the_files_of_its_own_urls_alone",),
    ),
    Fault(
        "keys are made beside those in the secret manager",
        "secrets: a secret manager's keys are the only ones",
        "vote/ops/first_start.py",
        '    if environ.get("SECRETS_FROM", "env") != "env":\n',
        "    if not home:\n",
        (f"{ENVIRONMENT}::test_nothing_is_made_beside_a_secret_manager",),
    ),
    Fault(
        "a rotation that is interrupted loses a key",
        "rotation: all keys change or none",
        "vote/secret_store/piecewise.py",
        "        self.write_one(JOURNAL, json.dumps(pending))\n",
        "",
        (f"{PIECEWISE}::test_a_killed_writer_leaves_all_or_nothing_and_the_next_one_finishes",),
    ),
    Fault(
        "a rotation undoes what somebody else wrote",
        "rotation: nobody's change is undone",
        "vote/secret_store/piecewise.py",
        "        if now.revision != seen.revision:\n",
        "        if not names:\n",
        (f"{PIECEWISE}::test_a_change_since_the_reading_is_not_undone",),
    ),
    Fault(
        "a repeated call signs with keys that not every process knows",
        "rotation: a repeated call changes nothing",
        "vote/ops/key_rotation.py",
        "_swapped(stored, now) if is_restarted else {}",
        "_swapped(stored, now)",
        (f"{ROTATION}::test_a_repeated_call_changes_nothing",),
    ),
    Fault(
        "old keys are removed while people are logged in with them",
        "rotation: old keys live for a day",
        "vote/ops/key_rotation.py",
        "    if state.removable_at is not None and now >= state.removable_at:\n",
        "    if state.removable_at is not None:\n",
        (f"{ROTATION}::test_a_repeated_call_changes_nothing",),
    ),
    Fault(
        "a stolen key is still accepted after the keys were replaced",
        "rotation: stolen keys end at once",
        "vote/ops/key_rotation.py",
        'return {key: new_key() for key in KEYS} | {f"{key}_PREVIOUS": "" for key in KEYS}',
        "return {key: new_key() for key in KEYS}",
        (f"{ROTATION}::test_stolen_keys_are_replaced_and_not_accepted_any_more",),
    ),
    Fault(
        "generating secrets overwrites those in use",
        "secrets: generating overwrites nothing",
        "vote/ops/commands/secrets.py",
        "        if present and not missing:\n",
        "        if present and missing is None:\n",
        (f"{COMMAND}::test_nothing_is_overwritten_and_the_rest_can_be_made",),
    ),
    Fault(
        "changed secrets go unnoticed until the next restart fails",
        "secrets: a change is noticed within SECRETS_REFRESH_S",
        "vote/secret_watch.py",
        "        if outdated != self._outdated:\n",
        "        if outdated is None:\n",
        ("tests/unit/test_secret_watch.py::test_a_change_is_said_once_by_name_and_counted",),
    ),
)
