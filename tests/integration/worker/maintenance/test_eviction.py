"""What is over leaves the memory of the log, and is answered from the database."""

from collections.abc import Callable

import pytest

from tests.casting import cast
from tests.integration.worker.maintenance.maintained import (
    Close,
    Execute,
    MakeCompetition,
    MakeUser,
    backup,
    step,
    voters_in_log,
)
from tests.stack import Stack, wait_until
from vote.actions import competitions as change
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker import voter_eviction
from vote.worker.maintenance import Maintenance
from vote.worker.worker import Worker


def test_what_is_over_leaves_the_memory_of_the_log_once(
    owner: Database, log: BallotLog, worker: Worker, keeper: Maintenance, forgotten: tuple[Competition, list[Account]]
) -> None:
    competition, _ = forgotten
    with owner.read() as tx:
        assert competition.id in competitions.forgotten_by_log(tx)
        assert competition.id not in {one.id for one in competitions.known_to_log(tx)}
    assert voter_eviction.forget(owner, log, keep_hours=72) == [], "not for ever again"
    ends = [shard.last for shard in log.describe_all()]

    step(worker)

    assert [shard.last for shard in log.describe_all()] == ends, "and it is not pushed again"


@pytest.mark.parametrize("state", ["open", "just closed", "not in the backup"])
def test_what_may_still_be_needed_is_kept(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    keeper: Maintenance,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
    execute: Execute,
    state: str,
) -> None:
    competition, voter = make_competition(), make_user()
    cast(settings, competition.id, voter.id, "a")
    if state != "open":
        close(competition)
    if state == "just closed":
        execute("UPDATE competitions SET closed_at = now() - interval '72.9 hours' WHERE id = %s", competition.id)
    if state == "not in the backup":
        # It was verified later, but it began before the closing: the last votes are not in it.
        backup(execute, {})
        execute("UPDATE backups SET started_at = now() - interval '5 days'")

    keeper.forget()

    assert voters_in_log(log, competition) == 1
    if state == "not in the backup":
        backup(execute, {})
        keeper.forget()
        assert voters_in_log(log, competition) == 0, "safe in a verified backup"
    if state == "just closed":
        execute("UPDATE competitions SET closed_at = now() - interval '73.1 hours' WHERE id = %s", competition.id)
        keeper.forget()
        assert voters_in_log(log, competition) == 0, "past reopening"


def test_a_second_press_is_still_answered_by_what_is_recorded(
    stack: Stack,
    owner: Database,
    settings: Settings,
    log: BallotLog,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: Callable[[Account], str],
    execute: Execute,
) -> None:
    competition, voter, stranger = make_competition(), make_user(), make_user()
    first = stack.vote(competition.id, "a", token_of(voter))
    change.close_voting(owner, log, competition.id, by="tests")
    is_closed = "SELECT 1 FROM competitions WHERE id = %s AND status = 'closed'"
    wait_until(lambda: execute(is_closed, competition.id), what="closed")
    execute("UPDATE competitions SET closed_at = closed_at - interval '4 days' WHERE id = %s", competition.id)
    assert voter_eviction.forget(owner, log, keep_hours=72) == [competition.id]

    again = stack.vote(competition.id, "a", token_of(voter))
    other = stack.vote(competition.id, "b", token_of(voter))
    new = stack.vote(competition.id, "a", token_of(stranger))

    assert first.status == 202
    assert (again.status, again.json["status"], again.json["receipt"]) == (200, "recorded", first.json["receipt"])
    assert (other.status, new.status) == (403, 403)
