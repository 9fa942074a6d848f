"""A worker's keeper, and competitions that are long over."""

from typing import Any

import pytest

from tests.casting import cast_all
from tests.integration.worker.maintenance.maintained import (
    Close,
    Execute,
    MakeCompetition,
    MakeUser,
    step,
    voters_in_log,
)
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker


@pytest.fixture
def keeper(worker: Worker) -> Maintenance:
    return worker.maintenance


@pytest.fixture
def execute(owner: Database) -> Execute:
    """Runs one statement as the owner."""

    def run(statement: str, *parameters: Any) -> list[Any]:
        with owner.transaction(by="tests") as tx:
            done = tx.execute(statement.encode(), parameters)
            return done.fetchall() if done.description else []

    return run


@pytest.fixture
def close(owner: Database, log: BallotLog, worker: Worker, execute: Execute) -> Close:
    """Closes a competition, and lets four days go by."""

    def run(competition: Competition) -> None:
        change.close_voting(owner, log, competition.id, by="tests")
        step(worker)
        step(worker)
        execute("UPDATE competitions SET closed_at = closed_at - interval '4 days' WHERE id = %s", competition.id)

    return run


@pytest.fixture
def forgotten(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    keeper: Maintenance,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
) -> tuple[Competition, list[Account]]:
    """A competition of twenty voters for a that the log has forgotten."""
    competition, voters = make_competition(), [make_user() for _ in range(20)]
    cast_all(settings, [(competition.id, voter.id, "a") for voter in voters])
    close(competition)
    assert voters_in_log(log, competition) == 20
    keeper.forget()
    assert voters_in_log(log, competition) == 0
    return competition, voters
