"""The words that a line shows of a path are those of our routes, all of them and no others."""

import re

import pytest
from flask import Flask

from vote.asgi import PROBES
from vote.input_limits import LOGGED_PATH_MAX_CHARS
from vote.server.logged_paths import WORDS, logged_path

OF_THE_FRONT_DOOR = {path.strip("/") for path in PROBES} | {"vote", "live", "static"}
LEADING_TO_A_CODE = {"v"}  # what follows lets somebody vote


def words_of(rule: str) -> set[str]:
    """The words of ours in a rule, with those that a place takes one of."""
    words = set()
    for part in rule.strip("/").split("/"):
        choice = re.search(r"any\(([^)]*)\)", part)
        words |= {word.strip() for word in choice[1].split(",")} if choice else {part} if "<" not in part else set()
    return words - {""}


def test_the_words_are_those_of_the_routes(app: Flask) -> None:
    used = set().union(*(words_of(rule.rule) for rule in app.url_map.iter_rules()))

    assert used | OF_THE_FRONT_DOOR == WORDS | (used & LEADING_TO_A_CODE)
    assert not WORDS & LEADING_TO_A_CODE


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/vote/1", "/vote/1"),
        ("/api/admin/people/4503599627370495/role", "/api/admin/people/4503599627370495/role"),
        ("/api/receipts/ABCD-EFGH-IJKL-MNOP", "/api/receipts/-"),
        ("/v/12345678", "/-"),
        ("/v/ABCD/vote/1", "/-"),
        ("/reset/some-token", "/reset/-"),
        ("/wp-login.php", "/-"),
        ("/vote/٣", "/vote/-"),
        ("/vote/12345678901234567", "/vote/-"),
        ("/static/js/vote.js", "/static/-"),
        ("/vote/1\n{}", "/vote/-"),
    ],
)
def test_the_rest_of_a_path_is_not_shown(path: str, shown: str) -> None:
    assert logged_path(path) == shown


def test_a_long_path_is_cut() -> None:
    assert len(logged_path("/1" * 5_000)) == LOGGED_PATH_MAX_CHARS
