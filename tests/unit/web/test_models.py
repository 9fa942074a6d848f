"""What the input models take and refuse, and the sentence for each refusal."""

from datetime import UTC, datetime
from typing import Any

import pytest

from vote.errors import InvalidInput
from vote.web import validation
from vote.web.api.account_models import Login, PasswordChange, Registration, Token
from vote.web.api.competition_models import CompetitionChange, NewCompetition
from vote.web.api.gap_models import Decision
from vote.web.api.models import Nothing

PERSON = {"username": "Ada.L-1", "email": "test@example.com", "password": "Pass123!", "confirm_password": "Pass123!"}
QUESTION = {"name": "Which stage?", "option_a": "River", "option_b": "Hall"}


def errors_of(model: Any, given: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        validation.check(model, given)
    return caught.value.fields


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("username", "ab", "Use at least 3"),
        ("username", "a" * 41, "Use at most 40"),
        ("username", "ada l", "letters A to Z"),
        ("username", "ada\nb", "letters A to Z"),
        ("username", "adä", "letters A to Z"),
        ("username", "ada\0", "letters A to Z"),
        ("username", 12345, "must be text"),
        ("username", None, "must be text"),
        ("username", "ada\ud800", "not valid UTF-8"),
        ("email", "ada", "name@example.org"),
        ("email", "ada@", "name@example.org"),
        ("email", "ada@ex ample.com", "name@example.org"),
        ("email", "ada@example.com\nb", "name@example.org"),
        ("email", "a@" + "b" * 300 + ".com", "Use at most 254"),
        ("email", "", "name@example.org"),
        ("password", "short1!", "Use at least 8"),
        ("password", "iloveyou", "attackers try"),
        ("password", "Test-2026", "your name or a word from this site"),
        ("password", "x" * 1025, "Use at most 1024"),
        ("confirm_password", "Pass123?", "do not match"),
        ("is_admin", True, "no such field"),
        ("role", "admin", "no such field"),
    ],
)
def test_a_registration_says_what_is_wrong_with_a_field(field: str, value: object, says: str) -> None:
    assert says in errors_of(Registration, {**PERSON, field: value})[field]


def test_every_field_of_a_registration_is_needed() -> None:
    assert errors_of(Registration, {}) == dict.fromkeys(PERSON, "This field is required.")


def test_a_password_is_not_the_name() -> None:
    named = {**PERSON, "username": "adalovelace", "password": "AdaLovelace", "confirm_password": "AdaLovelace"}

    assert errors_of(Registration, named).keys() == {"password"}


def test_a_password_is_never_cut() -> None:
    longest = " " + "ü" * 1022 + " "

    read = validation.check(Registration, {**PERSON, "password": longest, "confirm_password": longest})

    assert read.password == longest


@pytest.mark.parametrize("email", ["test@example.com", "a@b.test", "x@school.local", "y@host.invalid", "ü@exämple.org"])
def test_addresses_are_checked_by_syntax_only(email: str) -> None:
    assert validation.check(Registration, {**PERSON, "email": email}).email == email


def test_what_is_secret_is_not_shown() -> None:
    """Where a model ends up in a message or a trace."""
    change = {"current_password": "Pass123!", "new_password": "Pass124!", "confirm_password": "Pass124!"}
    shown = [
        validation.check(Registration, PERSON), validation.check(Login, {"username": "a", "password": "Pass123!"}),
        validation.check(PasswordChange, change), Token(token="Pass123!"),
    ]  # fmt: skip

    assert "Pass12" not in repr(shown)


def test_a_login_looks_only_at_the_kind() -> None:
    assert validation.check(Login, {"username": "", "password": ""}).username == ""
    assert errors_of(Login, {"username": 1}) == {
        "username": "This must be text.",
        "password": "This field is required.",
    }


def test_a_new_password_is_checked_like_a_first_one() -> None:
    given = {"current_password": "x", "new_password": "short", "confirm_password": "other"}

    assert errors_of(PasswordChange, given).keys() == {"new_password"}
    assert errors_of(PasswordChange, {**given, "new_password": "Voting2026"}).keys() == {"new_password"}


def test_nothing_takes_nothing() -> None:
    assert errors_of(Nothing, {"x": 1}).keys() == {"x"}


# --- competitions ------------------------------------------------------------------------------------------------------
def test_lettered_options_become_a_list() -> None:
    read = validation.check(NewCompetition, {**QUESTION, "option_c": " Tent ", "option_d": "", "option_e": None})

    assert read.options == ["River", "Hall", "Tent"]


def test_a_list_of_26_options_is_taken() -> None:
    labels = [f"Option {number}" for number in range(26)]

    assert validation.check(NewCompetition, {"name": "Q", "options": labels}).options == labels
    assert (
        validation.check(
            NewCompetition, {"name": "Q", **{f"option_{chr(97 + n)}": text for n, text in enumerate(labels)}}
        ).options
        == labels
    )


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"name": "Q"}, "options", "is required"),
        ({"name": "Q", "options": []}, "options", "at least 2"),
        ({"name": "Q", "options": ["A"]}, "options", "at least 2"),
        ({"name": "Q", "options": [str(n) for n in range(27)]}, "options", "at most 26"),
        ({"name": "Q", "options": "AB"}, "options", "must be a list"),
        ({"name": "Q", "options": ["A", 5]}, "option_b", "must be text"),
        ({"name": "Q", "options": ["A", " "]}, "option_b", "is required"),
        ({"name": "Q", "options": ["A", "a"]}, "options", "same text"),
        ({"name": "Q", "option_a": "A"}, "option_b", "is required"),
        ({"name": "Q", "option_b": "B"}, "option_a", "is required"),
        ({**QUESTION, "option_d": "D"}, "option_c", "is required"),
        ({**QUESTION, "options": ["A", "B"]}, "options", "not both"),
        ({**QUESTION, "option_a": "A\nB"}, "option_a", "one line"),
        ({**QUESTION, "option_a": "A" * 201}, "option_a", "Use at most 200"),
        ({**QUESTION, "name": ""}, "name", "is required"),
        ({**QUESTION, "name": "  "}, "name", "is required"),
        ({**QUESTION, "name": None}, "name", "must be text"),
        ({**QUESTION, "name": "Q" * 201}, "name", "Use at most 200"),
        ({**QUESTION, "name": "Q\0"}, "name", "one line"),
        ({**QUESTION, "description": "\0"}, "description", "control characters"),
        ({**QUESTION, "description": "D" * 2001}, "description", "Use at most 2000"),
        ({**QUESTION, "opens_at": "tomorrow"}, "opens_at", "with its zone"),
        ({**QUESTION, "opens_at": "2030-01-01"}, "opens_at", "with its zone"),
        ({**QUESTION, "opens_at": "2030-01-01T10:00"}, "opens_at", "with its zone"),
        ({**QUESTION, "opens_at": "2030-13-01T10:00Z"}, "opens_at", "with its zone"),
        ({**QUESTION, "opens_at": 1900000000}, "opens_at", "with its zone"),
        ({**QUESTION, "opens_at": "9999-12-31T23:59:59-23:00"}, "opens_at", "between 2000 and 2199"),
        ({**QUESTION, "opens_at": "0001-01-01T00:00:00+14:00"}, "opens_at", "between 2000 and 2199"),
        ({**QUESTION, "allow_change": "perhaps"}, "allow_change", "true or false"),
        ({**QUESTION, "results_visibility": "never"}, "results_visibility", "'live', 'after_vote' or 'after_close'"),
        ({**QUESTION, "draft": []}, "draft", "true or false"),
        ({**QUESTION, "receipt_key": "x"}, "receipt_key", "no such field"),
        ({**QUESTION, "option_aa": "x"}, "option_aa", "no such field"),
    ],
)
def test_a_competition_says_what_is_wrong_with_a_field(given: dict[str, Any], field: str, says: str) -> None:
    assert says in errors_of(NewCompetition, given)[field]


def test_times_are_kept_in_utc() -> None:
    read = validation.check(NewCompetition, {**QUESTION, "opens_at": "2030-01-01T10:00:00+02:00", "closes_at": ""})

    assert read.opens_at == datetime(2030, 1, 1, 8, tzinfo=UTC)
    assert read.opens_at.tzinfo is UTC
    assert read.closes_at is None


def test_a_change_holds_only_what_was_sent() -> None:
    assert validation.check(CompetitionChange, {}).changes() == {}
    assert validation.check(CompetitionChange, {"closes_at": None, "name": " New "}).changes() == {
        "closes_at": None,
        "name": "New",
    }
    assert validation.check(CompetitionChange, {"option_a": "A", "option_b": "B"}).changes() == {"options": ["A", "B"]}


@pytest.mark.parametrize(
    "given", [{"name": None}, {"options": None}, {"allow_change": None}, {"results_visibility": None}]
)
def test_a_change_to_nothing_is_refused_where_something_must_be(given: dict[str, Any]) -> None:
    assert errors_of(CompetitionChange, given).keys() == given.keys()


@pytest.mark.parametrize("blank", [" ", "\n", "\u00a0"])
@pytest.mark.parametrize(
    ("model", "field", "given"),
    [
        (NewCompetition, "name", QUESTION),
        (NewCompetition, "description", QUESTION),
        (NewCompetition, "option_a", QUESTION),
        (CompetitionChange, "name", {}),
        (CompetitionChange, "description", {}),
        (Decision, "reason", {}),
    ],
)
def test_blanks_that_are_stripped_count_as_the_api_document_says(
    model: Any, field: str, given: dict[str, Any], blank: str
) -> None:
    """Its maxLength knows nothing of stripping. Usernames and addresses are another matter: phones add blanks to them."""
    most = model.model_json_schema()["properties"][field]
    longest = next(one["maxLength"] for one in (most, *most.get("anyOf", [])) if "maxLength" in one)

    assert validation.check(model, {**given, field: "x" * (longest - 1) + blank})
    assert f"Use at most {longest}" in errors_of(model, {**given, field: "x" * longest + blank})[field]
