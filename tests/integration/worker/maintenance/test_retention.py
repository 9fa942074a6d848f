"""Journals lose who voted what when their time is over, and keep their chain."""

import psycopg
import pytest

from tests.casting import cast, cast_all
from tests.integration.worker.maintenance.maintained import Close, Execute, MakeCompetition, MakeUser, counts
from vote.config import Settings
from vote.db import votes
from vote.db.pool import Database
from vote.worker import maintenance
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker


def test_old_journals_keep_their_chain_and_lose_who_voted_what(
    owner: Database,
    settings: Settings,
    worker: Worker,
    keeper: Maintenance,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maintenance, "RETIRE_STEP", 3)
    monkeypatch.setattr(maintenance, "RETIRE_BUDGET_S", 60)
    old, young, voters = make_competition(), make_competition(), [make_user() for _ in range(40)]
    cast_all(settings, [(one.id, voter.id, "a") for voter in voters for one in (old, young)])
    close(old)
    close(young)
    execute("UPDATE competitions SET closed_at = closed_at - interval '1 year' WHERE id = %s", old.id)
    chains = execute("SELECT id, seq, digest, chain FROM ballots ORDER BY id")

    assert not keeper.retire()

    rows = execute(
        "SELECT competition_id, count(*), count(user_id), count(choice), count(receipt), count(retired_at)"
        " FROM ballots GROUP BY 1 ORDER BY 1"
    )
    assert rows == [(old.id, 40, 0, 0, 0, 40), (young.id, 40, 40, 40, 40, 0)]
    assert execute("SELECT id, seq, digest, chain FROM ballots ORDER BY id") == chains
    assert counts(owner, old) == {"a": 40, "b": 0}
    with owner.read() as tx:
        assert votes.choice_of(tx, old.id, voters[0].id) == "a", "votes stay"
    audited = execute(
        "SELECT actor, subject_id, sum((after ->> 'ballots')::int)::int, max((after ->> 'votes')::int), count(*) > 8"
        " FROM audit_log WHERE action = 'retire' GROUP BY 1, 2"
    )
    assert audited == [("keeping", str(old.id), 40, 40, True)]
    assert execute("SELECT id FROM competitions WHERE journal_retired_at IS NOT NULL") == [(old.id,)]
    assert keeper._begin_pass() is None, "not for ever again"


def test_retiring_waits_for_nobody_long(
    settings: Settings,
    worker: Worker,
    keeper: Maintenance,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
    execute: Execute,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    competition = make_competition()
    cast(settings, competition.id, make_user().id, "a")
    close(competition)
    execute("UPDATE competitions SET closed_at = closed_at - interval '1 year'")
    monkeypatch.setattr(maintenance, "RETIRE_BUDGET_S", 0)
    assert keeper.retire(), "there is more to do, later"

    monkeypatch.setattr(maintenance, "RETIRE_BUDGET_S", 60)
    assert not keeper.retire()
    assert execute("SELECT count(*) FROM ballots WHERE retired_at IS NULL") == [(0,)]


def test_the_worker_may_retire_what_is_old_and_change_nothing_else(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE vote_worker")
        for statement in (
            "UPDATE ballots SET retired_at = now()",
            "SELECT append_audit('a', 'b', 'c', NULL, NULL)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute("SELECT retire_ballots(0, 0::smallint, 0, 1000)")
        connection.execute("SET ROLE vote_web")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT retire_ballots(365, 0::smallint, 0, 1000)")
