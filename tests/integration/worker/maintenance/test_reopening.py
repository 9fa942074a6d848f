"""What the log has forgotten is opened again: its voters come back before anything is taken."""

from dataclasses import replace

from tests.casting import cast
from tests.integration.worker.maintenance.maintained import Close, Execute, MakeUser, counts, step, voters_in_log
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import competitions
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.worker import voter_eviction
from vote.worker.worker import Worker


def test_who_has_voted_cannot_vote_again_when_it_is_opened_again(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    make_user: MakeUser,
    reopen: Close,
) -> None:
    competition, voters = forgotten
    stranger = make_user()

    reopen(competition)
    early = {cast(settings, competition.id, one.id, "b").result for one in (*voters, stranger)}
    step(worker)
    late = {cast(settings, competition.id, one.id, "b").result for one in voters}
    same = {cast(settings, competition.id, one.id, "a").result for one in voters}
    new = cast(settings, competition.id, stranger.id, "b").result
    worker.step()

    assert early == {"unknown"}, "nothing is taken before the voters are back"
    assert (late, same, new) == ({"already"}, {"again"}, "accepted")
    assert counts(owner, competition) == {"a": 20, "b": 1}


def test_voters_come_back_only_when_every_ballot_is_recorded(
    owner: Database,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
    execute: Execute,
) -> None:
    """PostgreSQL was restored: its votes are not complete before it has caught up with the log."""
    competition, _ = forgotten
    reopen(competition)
    shard = log.describe(3)
    execute("UPDATE log_positions SET position = position - 1 WHERE shard = 3")

    assert not voter_eviction.remember(worker.db, log, shard, competition.id)
    worker.drain(3)

    assert voter_eviction.remember(worker.db, log, shard, competition.id)


def test_an_announcement_that_comes_late_opens_nothing(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
) -> None:
    """R7: of a process that slept since before the closing, also when the log was lost meanwhile."""
    competition, voters = forgotten
    log.announce([Rules.from_competition(competition)])
    assert cast(settings, competition.id, voters[0].id, "b").result == "unknown"

    log._call("FLUSHALL")
    step(worker)
    assert voters_in_log(log, competition) == 0
    log.announce([Rules.from_competition(competition)])
    assert cast(settings, competition.id, voters[0].id, "b").result == "unknown"

    reopen(competition)
    step(worker)
    assert cast(settings, competition.id, voters[0].id, "b").result == "already"


def test_a_worker_that_slept_forgets_nothing_that_was_opened_again(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
    owner: Database,
) -> None:
    competition, voters = forgotten
    with owner.read() as tx:
        versions = competitions.forgotten_by_log(tx)
    reopen(competition)
    step(worker)

    for shard in log.describe_all():
        log.forget(shard, versions)
        rules = replace(Rules.from_competition(competition), version=versions[competition.id])
        log.remember(shard, rules, dict.fromkeys((voter.id for voter in voters), "b"))

    assert {cast(settings, competition.id, voter.id, "a").result for voter in voters} == {"again"}


def test_a_database_from_before_opens_nothing_the_log_has_forgotten(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
    execute: Execute,
) -> None:
    """A restored database may not know that the log has forgotten; the log itself does."""
    competition, voters = forgotten
    execute("UPDATE competitions SET forgotten_at = NULL WHERE id = %s", competition.id)

    reopen(competition)
    assert cast(settings, competition.id, voters[0].id, "b").result == "unknown"
    step(worker)

    assert cast(settings, competition.id, voters[0].id, "b").result == "already"


def test_a_competition_that_opens_again_is_not_over(
    owner: Database,
    worker: Worker,
    settings: Settings,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
    execute: Execute,
) -> None:
    competition, _ = forgotten
    execute("UPDATE competitions SET journal_retired_at = now() WHERE id = %s", competition.id)

    reopen(competition)

    assert execute("SELECT 1 FROM competitions WHERE forgotten_at IS NULL AND journal_retired_at IS NULL") == [(1,)]
