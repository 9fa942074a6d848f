"""Ballots that were reinstated stand later in the journal than they lay in the log, and are otherwise like all others."""

from collections.abc import Callable

from tests.casting import cast_all
from tests.integration.ops.integrity.damage import Execute, found
from vote.actions import reinstatement
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.worker import Worker

LATE = range(3_100_000_000_000_000, 3_100_000_000_000_020)


def test_reinstated_ballots_are_in_order_and_each_is_accounted_for(
    signing: dict[str, str],
    books: Competition,
    voters: list[int],
    execute: Execute,
    owner: Database,
    settings: Settings,
    worker: Worker,
    make_user: Callable[..., Account],
) -> None:
    cast_all(settings, [(books.id, voter, "a") for voter in LATE])
    worker.step()
    cast_all(settings, [(books.id, make_user().id, "b") for _ in range(20)])  # what lies behind them is recorded first
    worker.step()
    for voter in LATE:
        execute(
            "INSERT INTO users (id, username, email, email_key, password_hash) VALUES (%s, %s, %s, %s, 'x')",
            voter,
            *[str(voter)] * 3,
        )
    reinstatement.ask(owner, books.id, by=make_user(role="admin").person, reason="They are back.")
    assert reinstatement.run_pending(owner, by="tests") == {books.id: len(LATE)}
    cast_all(settings, [(books.id, make_user().id, "b") for _ in range(20)])
    worker.step()

    assert found(signing) == []

    execute("UPDATE ballots SET reinstatement_id = NULL WHERE user_id = %s", LATE[0])
    assert any("says 20 ballots, but the journal has 19" in problem for _, _, problem in found(signing))
