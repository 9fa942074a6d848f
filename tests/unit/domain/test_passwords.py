"""Which passwords are refused, and that all others are taken."""

import pytest

from vote.domain.password_strength import COMMON, TOO_CLOSE, TOO_COMMON, weakness


def test_the_list_has_ten_thousand_passwords_that_only_the_list_refuses() -> None:
    listed = COMMON.read_text(encoding="utf-8").splitlines()

    assert len(set(listed)) == len(listed) >= 10_000
    assert all(len(one) >= 8 and one == one.casefold() for one in listed), "shorter ones are refused by their length"


def test_every_password_of_the_list_is_refused() -> None:
    for one in COMMON.read_text(encoding="utf-8").splitlines():
        assert weakness(one) == TOO_COMMON


@pytest.mark.parametrize("password", ["password", "PassWord1", "12345678", "QWERTYUIOP", "iloveyou", "trustno1"])
def test_what_attackers_try_first_is_refused(password: str) -> None:
    assert weakness(password) == TOO_COMMON


@pytest.mark.parametrize(
    "password",
    [
        "Voting2026",
        "vote-vote-vote",
        "!!ballot!!",
        "VoteAdmin1",
        "ada.l-1-ada",
        "adal12345678",
        "AdaL@Vote",
        "Lovelace99",
    ],
)
def test_a_word_of_the_site_or_ones_own_name_with_little_around_it_is_refused(password: str) -> None:
    assert weakness(password, own=["Ada.L-1", "lovelace@example.org"]) == TOO_CLOSE


@pytest.mark.parametrize(
    "password",
    [
        "Pass123!",  # the checklist's own; it is on neither list
        "vote for the otter",
        "voting 83629471026",
        "correct horse battery staple",
        "        ",
        "ßüßüßüßü",
        "パスワード番号長い",
        "p" * 1_024,
        "vote" * 250 + "x",
    ],
)
def test_everything_else_is_taken_whatever_it_is_made_of(password: str) -> None:
    assert weakness(password, own=["Vo.Te", "test@example.com", ""]) is None
