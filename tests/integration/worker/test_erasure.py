"""R10: an erasure is an entry of the log too, so that a database restored from an older backup erases again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.casting import cast
from vote.actions import accounts
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import users, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker import erasures
from vote.worker.worker import Worker


def restore_person(owner: Database, person: Account) -> None:
    """As a backup from before the erasure has it: the person is there, and the log is to be read again."""
    with owner.transaction(by="tests") as tx:
        tx.execute("DELETE FROM erasures WHERE user_id = %s", (person.id,))
        tx.execute(
            "UPDATE users SET username = %s, email = %s, password_hash = 'x', erased_at = NULL WHERE id = %s",
            (person.username, person.email, person.id),
        )
        tx.execute("UPDATE log_positions SET position = 0, last_entry = NULL")


def test_a_restored_database_erases_again_and_the_vote_stays(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition, person = make_competition(), make_user()
    cast(settings, competition.id, person.id, "a")

    assert accounts.erase(owner, log, by=person.id)
    worker.step()
    restore_person(owner, person)
    worker.step()

    with owner.read() as tx:
        assert users.find(tx, person.id) is None
        assert votes.choice_of(tx, competition.id, person.id) == "a"


def test_accounts_that_nobody_uses_are_erased_and_a_restore_erases_them_again(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
) -> None:
    competition = make_competition()
    unused, logs_in, votes_now, new = (make_user() for _ in range(4))
    admin, organiser = make_user(role="admin"), make_user(role="organiser")
    with owner.transaction(by="tests") as tx:
        users.note_login(tx, unused.id)
        tx.execute("UPDATE last_logins SET day = current_date - 31")
        users.note_login(tx, logs_in.id)
        tx.execute("UPDATE users SET created_at = now() - interval '31 days' WHERE id <> %s", (new.id,))
    cast(settings, competition.id, votes_now.id, "a")
    worker.step()

    worker.maintenance.erase_unused()
    with owner.read() as tx:
        assert users.find(tx, unused.id) is not None, "never, unless a limit is set"
    worker.maintenance.account_keep_days = 30
    worker.maintenance.erase_unused()

    def erased() -> set[int]:
        with owner.read() as tx:
            everybody = (unused, logs_in, votes_now, new, admin, organiser)
            return {one.id for one in everybody if users.find(tx, one.id) is None}

    assert erased() == {unused.id}
    assert not worker.maintenance.erase_unused(), "nobody else"
    worker.step()
    restore_person(owner, unused)
    worker.step()
    assert erased() == {unused.id}
    with owner.read() as tx:
        actors = tx.execute("SELECT actor FROM audit_log WHERE action = 'erase unused'").fetchall()
        assert tx.execute("SELECT count(*) FROM last_logins WHERE user_id = %s", (unused.id,)).fetchone() == (0,)
    assert actors == [("keeping",)]


def test_a_login_is_noted_once_a_day(owner: Database, make_user: Callable[..., Account]) -> None:
    person = make_user()

    def note() -> tuple[Any, ...] | None:
        with owner.transaction(by="tests") as tx:
            users.note_login(tx, person.id)
        with owner.read() as tx:
            return tx.execute("SELECT day = current_date, xmin::text, xmax::text FROM last_logins").fetchone()

    first = note()
    assert first is not None
    assert first[0]
    assert note() == first, "the row is not even touched"
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE last_logins SET day = day - 1")
    tomorrow = note()
    assert tomorrow is not None
    assert tomorrow[0]


def test_an_erasure_that_did_not_reach_the_log_is_asked_for_again(
    owner: Database,
    log: BallotLog,
    worker: Worker,
    make_user: Callable[..., Account],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasures, "REPEAT_ERASURE_S", 0)
    person = make_user()
    log._call("FLUSHALL")

    on_disk = accounts.erase(owner, log, by=person.id)
    for _ in range(2):
        worker._next_schedule = worker._next_push = 0.0
        worker.step()

    assert not on_disk
    with owner.read() as tx:
        recorded = tx.execute("SELECT recorded_at IS NOT NULL FROM erasures WHERE user_id = %s", (person.id,))
        assert recorded.fetchone() == (True,)
