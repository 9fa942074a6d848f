"""What the web counts of logins and of its cache."""

from collections.abc import Callable

from flask import Flask

from tests.figures import figure
from tests.integration.clients import ApiClient
from vote.db import attempts
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.input_limits import FREE_GUESSES
from vote.metrics.logins import LOGIN_OUTCOMES
from vote.services.container import Services

PASSWORD = "Pass123!"


def outcomes() -> dict[str, float]:
    return {outcome: figure("vote_login_total", outcome=outcome) for outcome in LOGIN_OUTCOMES}


def growth(before: dict[str, float]) -> dict[str, float]:
    return {outcome: count - before[outcome] for outcome, count in outcomes().items() if count != before[outcome]}


def log_in(app: Flask, account: Account, password: str = PASSWORD) -> int:
    return ApiClient(app).post("/login", json={"username": account.username, "password": password}).status_code


def test_logins_are_counted_by_what_became_of_them(
    app: Flask, services: Services, owner: Database, make_user: Callable[..., Account]
) -> None:
    right, guessed, gone, locked = (make_user(password=PASSWORD) for _ in range(4))
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (gone.id,))
        subject = services.login_throttle.name_subject(locked.username)
        tx.execute(
            "INSERT INTO attempts (subject, source, count, wait_until, expires_at)"
            " VALUES (%s, %s, 100, now() + interval '1 h', now() + interval '1 h')",
            (subject, attempts.EVERYWHERE),
        )
    before = outcomes()

    statuses = [log_in(app, right), log_in(app, gone), log_in(app, gone, "wrong-password"), log_in(app, locked)]
    guesses = [log_in(app, guessed, "wrong-password") for _ in range(FREE_GUESSES + 2)]

    assert statuses == [200, 401, 401, 429]
    wrong, delayed = guesses.count(401), guesses.count(429)
    assert (wrong > 0, delayed > 0) == (True, True)
    assert growth(before) == {"ok": 1, "disabled": 1, "wrong": 1 + wrong, "locked": 1, "delayed": delayed}


def test_the_cache_is_counted_by_kind(api: ApiClient, make_competition: Callable[..., Competition]) -> None:
    competition = make_competition()

    def counted(outcome: str) -> float:
        return figure("vote_cache_total", cache="competition", outcome=outcome)

    hits, misses = counted("hit"), counted("miss")
    for _ in range(3):
        assert api.get(f"/api/competitions/{competition.id}").status_code == 200

    assert (counted("miss") - misses, counted("hit") - hits) == (1, 2)
