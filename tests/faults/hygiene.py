"""Faults of small rules from the table in docs/security.md; the form is that of `fault.py`."""

from tests.faults.fault import Fault

ACCOUNTS = "tests/integration/web/account/test_login.py"
ACCOUNT_FORMS = "tests/integration/web/account/test_account_page.py"
HYGIENE_FAULTS = (
    Fault(
        "an empty If-Match is taken for a stale one",
        "RFC 9110 §13.1.1: what is no list of tags is no version",
        "vote/web/api/if_match.py",
        " or not _LIST.match(sent.strip())",
        "",
        ("tests/unit/web/api/test_if_match.py::test_what_is_no_list_of_tags_is_not_taken_for_one",),
    ),
    Fault(
        "sessions are signed with SHA-1",
        "ASVS 11.4.1: approved hash functions only",
        "vote/identity/sessions.py",
        '"digest_method": hashlib.sha256',
        '"digest_method": hashlib.sha1',
        ("tests/unit/identity/test_sessions.py",),
    ),
    Fault(
        "who logs out leaves the choice in the browser",
        "ASVS 14.3.1: what was shown is gone after a log-out",
        "vote/web/request_guards.py",
        'if g.get("has_left"):',
        "if False:",
        (f"{ACCOUNT_FORMS}::test_who_leaves_leaves_nothing_in_the_browser",),
    ),
    Fault(
        "of two choices in one ballot the last counts",
        "ASVS 15.3.7: a field is sent once",
        "vote/server/unique_fields.py",
        "if name in fields:",
        "if False:",
        ("tests/unit/casting/test_ballot_form.py::test_a_ballot_says_one_thing",),
    ),
    Fault(
        "settings show their secrets",
        "a secret is in no message and no trace",
        "vote/config.py",
        "        yield from ()\n",
        "        yield from super().__repr_args__()\n",
        ("tests/unit/test_config.py::test_settings_are_never_shown",),
    ),
    Fault(
        "a password can be read over the shoulder",
        "ASVS 6.2.6: password fields are masked",
        "vote/web/templates/login.html",
        'type="password", ',
        "",
        (f"{ACCOUNT_FORMS}::test_password_managers_know_every_password_field",),
    ),
    Fault(
        "a line of the log is written as it comes",
        "ASVS 16.4.1: one line stays one line",
        "vote/server/access_log.py",
        "[_written(line | common) for line in lines]",
        "[' '.join(map(str, [*(line | common).values(), '\\n'])) for line in lines]",
        ("tests/integration/web/test_behind_the_front_door.py::test_a_line_of_the_log_stays_one_line",),
    ),
    Fault(
        "a refused log-in leaves no line",
        "ASVS 16.3.1: every authentication is logged",
        "vote/web/account/login.py",
        'logger.info("login refused", request_id=request_context.request_id(), why=type(error).__name__)',
        "pass",
        (f"{ACCOUNTS}::test_every_coming_and_going_is_written_down",),
    ),
    Fault(
        "the session before a log-in lives on",
        "ASVS 7.2.4: a log-in ends the session that was there",
        "vote/web/account/login.py",
        "        _end(before)\n",
        "        pass\n",
        (f"{ACCOUNT_FORMS}::test_a_login_ends_the_session_that_was_there",),
    ),
    Fault(
        "registrations have no limit",
        "600 registrations an hour of a network",
        "vote/web/account/login.py",
        "    services.rate_limiter.acquire(services.rate_limits.registrations, request_context.network())\n",
        "",
        ("tests/integration/web/account/test_login_throttle.py::test_registrations_count_against_a_network",),
    ),
    Fault(
        "a name is glued into a statement",
        "ASVS 1.2.4: values travel beside a statement",
        "vote/db/users.py",
        "    query = f'{_ACCOUNT} AND lower(username COLLATE \"C\") = %s'\n",
        "    query = f'{_ACCOUNT} AND lower(username) = \\'{key}\\''\n",
        ("tests/unit/db/test_statements.py::test_no_statement_is_built_of_text",),
    ),
    Fault(
        "a form that cannot be read is an empty one",
        "bad input gets a clear error",
        "vote/web/request.py",
        "            raise BadRequest(NOT_A_FORM) from error\n",
        "            del error\n",
        ("tests/integration/web/test_errors.py::test_a_form_that_cannot_be_read_is_not_an_empty_one",),
    ),
    Fault(
        "a stale version hides a wrong body",
        "RFC 9110 §13.2.1: preconditions come last",
        "vote/web/api/managed_competitions.py",
        "    wanted = validation.check(CompetitionChange, with_other_labels(",
        "    version = _check_if_match(competition)\n    wanted = validation.check(CompetitionChange, with_other_labels(",
        (
            "tests/integration/web/api/test_managed_competitions.py"
            "::test_a_body_that_is_wrong_with_any_version_is_said_to_be_before_a_stale_one",
        ),
    ),
)
