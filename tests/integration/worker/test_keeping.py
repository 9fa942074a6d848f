"""Housekeeping: signed heads, marks, trimming, forgetting what is over and having it back, retention."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from tests.casting import cast, cast_all
from tests.stack import Stack, wait_until
from vote import config
from vote.actions import competitions as change
from vote.actions.checkpoints import Signer, Verifier
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import books, competitions, positions, tallies, users, votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.errors import ConfigError
from vote.worker import keeping, memory
from vote.worker.keeping import Keeper
from vote.worker.worker import Worker

KEY = "c2lnbmluZy1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY="

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
Close = Callable[[Competition], None]


@pytest.fixture
def keeper(worker: Worker) -> Keeper:
    return worker.keeper


@pytest.fixture
def execute(owner: Database) -> Callable[..., list[Any]]:
    """Runs one statement as the owner."""

    def run(statement: str, *parameters: Any) -> list[Any]:
        with owner.transaction(by="tests") as tx:
            done = tx.execute(statement.encode(), parameters)
            return done.fetchall() if done.description else []

    return run


@pytest.fixture
def close(owner: Database, log: BallotLog, worker: Worker, execute: Callable[..., list[Any]]) -> Close:
    """Closes a competition, and lets four days go by."""

    def run(competition: Competition) -> None:
        change.close_voting(owner, log, competition.id, by="tests")
        step(worker)
        step(worker)
        execute("UPDATE competitions SET closed_at = closed_at - interval '4 days' WHERE id = %s", competition.id)

    return run


@pytest.fixture
def reopen(owner: Database, log: BallotLog) -> Close:
    def run(competition: Competition) -> None:
        change.open_voting(owner, log, competition.id, by="tests")

    return run


def step(worker: Worker) -> None:
    """Everything that a worker does by the second, at once."""
    worker._next_schedule = worker._next_push = 0
    worker.step()


def entries(log: BallotLog, shard: int) -> list[int]:
    return [entry.position for entry in log.read_after(shard, 0, 1000)]


# --- checkpoints ----------------------------------------------------------------------------------------------------


def signed(owner: Database) -> list[tuple[str, int]]:
    with owner.read() as tx:
        return [(row[0], row[1]) for row in tx.execute("SELECT subject, seq FROM checkpoints ORDER BY subject, seq")]


def test_heads_are_signed_when_they_moved_and_at_most_once_a_minute(
    owner: Database,
    settings: Settings,
    worker: Worker,
    keeper: Keeper,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    execute: Callable[..., list[Any]],
) -> None:
    keeper.signer = Signer(KEY)
    competition, voter = make_competition(), make_user()
    shard = cast(settings, competition.id, voter.id, "a").shard
    worker.step()
    keeper.sign()
    keeper.sign()
    audit = execute("SELECT max(id) FROM audit_log")[0][0]
    assert signed(owner) == [("audit", audit), (f"shard:{shard}", 1)]

    make_user()
    keeper.sign()
    assert len(signed(owner)) == 2, "not a minute later"
    execute("UPDATE checkpoints SET made_at = made_at - interval '2 minutes'")
    keeper.sign()

    assert signed(owner) == [("audit", audit), ("audit", audit + 1), (f"shard:{shard}", 1)]


def test_a_checkpoint_says_who_signed_what(
    owner: Database, keeper: Keeper, make_user: MakeUser, execute: Callable[..., list[Any]]
) -> None:
    keeper.signer = Signer(KEY)
    make_user()
    keeper.sign()

    with books.snapshot(owner) as tx:
        (covered,) = books.checkpoints(tx)
    assert covered.chain == covered.checkpoint.head.chain
    verifier = Verifier([keeper.signer.public])
    assert verifier.problem(covered.checkpoint) is None
    for forged in (
        covered.checkpoint._replace(made_at=covered.checkpoint.made_at + timedelta(seconds=1)),
        covered.checkpoint._replace(head=covered.checkpoint.head._replace(seq=7)),
        covered.checkpoint._replace(head=covered.checkpoint.head._replace(subject="shard:1")),
        covered.checkpoint._replace(head=covered.checkpoint.head._replace(chain=bytes(32))),
    ):
        assert "does not fit" in str(verifier.problem(forged))
    assert "not among" in str(Verifier([]).problem(covered.checkpoint))


def test_without_a_key_nothing_is_signed_and_the_log_says_so_once(
    owner: Database, worker: Worker, keeper: Keeper, make_user: MakeUser
) -> None:
    make_user()
    keeper._has_said = False
    with capture_logs() as lines:
        keeper.sign()
        keeper.sign()

    assert [line["event"] for line in lines] == ["unsigned"]
    assert signed(owner) == []


def test_a_production_worker_needs_a_key_that_is_one(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="CHECKPOINT_KEY is not set"):
        Worker.of(config.load(environment | {"VOTE_ENV": "production"}))
    for wrong in ("too-short", "-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----", "&" * 44):
        with pytest.raises(ConfigError, match="not an Ed25519 private key"):
            Worker.of(config.load(environment | {"CHECKPOINT_KEY": wrong}))
    worker = Worker.of(config.load(environment | {"VOTE_ENV": "production", "CHECKPOINT_KEY": KEY}))
    assert worker.keeper.signer is not None
    worker.close()


# --- marks and trimming -----------------------------------------------------------------------------------------------


def test_positions_are_marked_once_an_hour_and_marks_go_after_a_week(
    owner: Database, keeper: Keeper, execute: Callable[..., list[Any]]
) -> None:
    execute("DELETE FROM position_marks")
    keeper.mark()
    keeper.mark()
    marks = "SELECT count(*), count(DISTINCT shard) FROM position_marks"
    assert execute(marks) == [(8, 8)]

    execute("UPDATE position_marks SET marked_at = marked_at - interval '61 minutes'")
    keeper.mark()
    assert execute(marks) == [(16, 8)]
    execute("UPDATE position_marks SET marked_at = marked_at - interval '7 days' + interval '30 minutes'")
    keeper.mark()

    assert execute(marks) == [(16, 8)], "eight too old, eight new"


def test_revocations_without_effect_are_deleted(
    owner: Database, keeper: Keeper, execute: Callable[..., list[Any]]
) -> None:
    with owner.transaction(by="tests") as tx:
        users.revoke(tx, "jti:old", keep_hours=1)
        users.revoke(tx, "jti:new", keep_hours=24)
    execute("UPDATE revocations SET expires_at = expires_at - interval '3 hours'")

    keeper.mark()

    assert execute("SELECT subject FROM revocations") == [("jti:new",)]


@pytest.fixture
def long_shard(
    settings: Settings, worker: Worker, make_user: MakeUser, make_competition: MakeCompetition, log: BallotLog
) -> int:
    """A shard with at least four entries, all recorded."""
    competition = make_competition(allow_change=True)
    voter = make_user()
    for choice in "abab":
        shard = cast(settings, competition.id, voter.id, choice).shard
    worker.step()
    assert len(entries(log, shard)) >= 4
    return shard


def backup(execute: Callable[..., list[Any]], held: dict[int, tuple[str, int]], *, verified: bool = True) -> None:
    """A backup that holds these positions."""
    execute(
        "INSERT INTO backups (label, started_at, positions, verified_at) VALUES (gen_random_uuid()::text, now(), %s,"
        " CASE WHEN %s THEN now() END)",
        json.dumps({str(shard): list(position) for shard, position in held.items()}),
        verified,
    )


def test_the_log_is_trimmed_strictly_below_a_verified_backup(
    log: BallotLog, keeper: Keeper, long_shard: int, execute: Callable[..., list[Any]]
) -> None:
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    backup(execute, {long_shard: (epoch, before[2])}, verified=False)
    keeper._untrimmed = ""  # it was said at the worker's first step
    with capture_logs() as said:
        keeper.trim()
        keeper.trim()
    assert entries(log, long_shard) == before, "nobody has restored this one"
    assert [line["reason"][:42] for line in said] == ["no backup was verified by a restore: only "]

    backup(execute, {long_shard: (epoch, before[1])})
    keeper.trim()

    assert entries(log, long_shard) == before[1:], "the entry at the position stays, to be compared (R6)"


def test_a_database_restored_to_before_the_trim_leaves_a_gap_also_while_the_log_runs_on(
    owner: Database, log: BallotLog, keeper: Keeper, worker: Worker, long_shard: int, execute: Callable[..., list[Any]]
) -> None:
    before, epoch = log.read_after(long_shard, 0, 1000), log.describe(long_shard).epoch
    backup(execute, {long_shard: (epoch, before[-1].position)})
    keeper.trim()
    restored = before[0]
    execute(
        "UPDATE log_positions SET position = %s, last_entry = %s WHERE shard = %s",
        *(restored.position, restored.id, long_shard),
    )

    step(worker)
    step(worker)

    with owner.read() as tx:
        (gap,) = positions.open_gaps(tx)
    now = log.describe(long_shard)
    assert (gap.shard, gap.old_epoch, gap.old_position, gap.new_epoch) == (
        *(long_shard, epoch, restored.position, now.epoch),
    )
    assert now.ready


@pytest.mark.parametrize("steps", [1, 1000])
def test_never_above_what_is_recorded_nor_in_another_epoch(
    log: BallotLog,
    keeper: Keeper,
    worker: Worker,
    long_shard: int,
    execute: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    monkeypatch.setattr(keeping, "TRIM_STEP", steps)
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    backup(execute, {long_shard: ("another", before[2])})
    keeper.trim()
    assert entries(log, long_shard) == before

    execute("UPDATE log_positions SET position = %s WHERE shard = %s", before[1], long_shard)
    backup(execute, {long_shard: (epoch, before[-1])})
    keeper.trim()

    assert entries(log, long_shard) == before[1:]


def test_without_a_backup_only_what_is_old_is_trimmed(
    log: BallotLog, keeper: Keeper, long_shard: int, execute: Callable[..., list[Any]]
) -> None:
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    execute("DELETE FROM position_marks")
    for hours, place in ((73, 1), (71, 2)):
        execute(
            "INSERT INTO position_marks (shard, marked_at, epoch, position)"
            " VALUES (%s, now() - make_interval(hours => %s), %s, %s)",
            long_shard,
            hours,
            epoch,
            before[place],
        )

    keeper.trim()

    assert entries(log, long_shard) == before[1:]


def test_a_shard_that_is_not_ready_is_not_trimmed(
    log: BallotLog, keeper: Keeper, long_shard: int, execute: Callable[..., list[Any]]
) -> None:
    before, epoch = entries(log, long_shard), log.describe(long_shard).epoch
    backup(execute, {long_shard: (epoch, before[2])})
    log._call("HDEL", f"vote:{{{long_shard}}}:state", "ready")

    keeper.trim()

    assert entries(log, long_shard) == before


# --- forgetting and having it back -----------------------------------------------------------------------------------


def voters_in_log(log: BallotLog, competition: Competition) -> int:
    return sum(int(log._call("HLEN", f"vote:{{{shard}}}:voters:{competition.id}")) for shard in range(log.shards))


def counts(owner: Database, competition: Competition) -> dict[str, int]:
    with owner.read() as tx:
        return tallies.read(tx, [competition.id])[competition.id].counts


@pytest.fixture
def forgotten(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    keeper: Keeper,
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


def test_what_is_over_leaves_the_memory_of_the_log_once(
    owner: Database, log: BallotLog, worker: Worker, keeper: Keeper, forgotten: tuple[Competition, list[Account]]
) -> None:
    competition, _ = forgotten
    with owner.read() as tx:
        assert competition.id in competitions.forgotten_by_log(tx)
        assert competition.id not in {one.id for one in competitions.known_to_log(tx)}
    assert memory.forget(owner, log, keep_hours=72) == [], "not for ever again"
    ends = [shard.last for shard in log.describe_all()]

    step(worker)

    assert [shard.last for shard in log.describe_all()] == ends, "and it is not pushed again"


@pytest.mark.parametrize("state", ["open", "just closed", "not in the backup"])
def test_what_may_still_be_needed_is_kept(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    keeper: Keeper,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
    execute: Callable[..., list[Any]],
    state: str,
) -> None:
    competition, voter = make_competition(), make_user()
    cast(settings, competition.id, voter.id, "a")
    if state != "open":
        close(competition)
    if state == "just closed":
        execute("UPDATE competitions SET closed_at = now() - interval '71 hours' WHERE id = %s", competition.id)
    if state == "not in the backup":
        # It was verified later, but it began before the closing: the last votes are not in it.
        backup(execute, {})
        execute("UPDATE backups SET started_at = now() - interval '5 days'")

    keeper.forget()

    assert voters_in_log(log, competition) == 1
    if state != "open":
        execute("DELETE FROM backups")
        backup(execute, {})
        keeper.forget()
        assert voters_in_log(log, competition) == 0, "safe in a verified backup"


def test_a_second_press_is_still_answered_by_what_is_recorded(
    stack: Stack,
    owner: Database,
    settings: Settings,
    log: BallotLog,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    token_of: Callable[[Account], str],
    execute: Callable[..., list[Any]],
) -> None:
    competition, voter, stranger = make_competition(), make_user(), make_user()
    first = stack.vote(competition.id, "a", token_of(voter))
    change.close_voting(owner, log, competition.id, by="tests")
    is_closed = "SELECT 1 FROM competitions WHERE id = %s AND status = 'closed'"
    wait_until(lambda: execute(is_closed, competition.id), what="closed")
    execute("UPDATE competitions SET closed_at = closed_at - interval '4 days' WHERE id = %s", competition.id)
    assert memory.forget(owner, log, keep_hours=72) == [competition.id]

    again = stack.vote(competition.id, "a", token_of(voter))
    other = stack.vote(competition.id, "b", token_of(voter))
    new = stack.vote(competition.id, "a", token_of(stranger))

    assert first.status == 202
    assert (again.status, again.json["status"], again.json["receipt"]) == (200, "recorded", first.json["receipt"])
    assert (other.status, new.status) == (403, 403)

    change.open_voting(owner, log, competition.id, by="tests")
    wait_until(lambda: stack.vote(competition.id, "a", token_of(stranger)).status == 202, what="open again")
    assert stack.vote(competition.id, "b", token_of(voter)).status == 409
    assert stack.vote(competition.id, "a", token_of(voter)).json["receipt"] == first.json["receipt"]


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
    early = {cast(settings, competition.id, one.id, "b").word for one in (*voters, stranger)}
    step(worker)
    late = {cast(settings, competition.id, one.id, "b").word for one in voters}
    same = {cast(settings, competition.id, one.id, "a").word for one in voters}
    new = cast(settings, competition.id, stranger.id, "b").word
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
    execute: Callable[..., list[Any]],
) -> None:
    """PostgreSQL was restored: its votes are not complete before it has caught up with the log."""
    competition, _ = forgotten
    reopen(competition)
    shard = log.describe(3)
    execute("UPDATE log_positions SET position = position - 1 WHERE shard = 3")

    assert not memory.remember(worker.db, log, shard, competition.id)
    worker.drain(3)

    assert memory.remember(worker.db, log, shard, competition.id)


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
    log.announce([Rules.of(competition)])
    assert cast(settings, competition.id, voters[0].id, "b").word == "unknown"

    log._call("FLUSHALL")
    step(worker)
    assert voters_in_log(log, competition) == 0
    log.announce([Rules.of(competition)])
    assert cast(settings, competition.id, voters[0].id, "b").word == "unknown"

    reopen(competition)
    step(worker)
    assert cast(settings, competition.id, voters[0].id, "b").word == "already"


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
        rules = replace(Rules.of(competition), version=versions[competition.id])
        log.remember(shard, rules, dict.fromkeys((voter.id for voter in voters), "b"))

    assert {cast(settings, competition.id, voter.id, "a").word for voter in voters} == {"again"}


def test_a_database_from_before_opens_nothing_the_log_has_forgotten(
    owner: Database,
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
    execute: Callable[..., list[Any]],
) -> None:
    """A restored database may not know that the log has forgotten; the log itself does."""
    competition, voters = forgotten
    execute("UPDATE competitions SET forgotten_at = NULL WHERE id = %s", competition.id)

    reopen(competition)
    assert cast(settings, competition.id, voters[0].id, "b").word == "unknown"
    step(worker)

    assert cast(settings, competition.id, voters[0].id, "b").word == "already"


# --- retention ----------------------------------------------------------------------------------------------------------


def test_old_journals_keep_their_chain_and_lose_who_voted_what(
    owner: Database,
    settings: Settings,
    worker: Worker,
    keeper: Keeper,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
    execute: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "RETIRE_STEP", 3)
    monkeypatch.setattr(keeping, "RETIRE_BUDGET_S", 60)
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
    assert keeper._begin_walk() is None, "not for ever again"


def test_retiring_waits_for_nobody_long(
    settings: Settings,
    worker: Worker,
    keeper: Keeper,
    make_user: MakeUser,
    make_competition: MakeCompetition,
    close: Close,
    execute: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    competition = make_competition()
    cast(settings, competition.id, make_user().id, "a")
    close(competition)
    execute("UPDATE competitions SET closed_at = closed_at - interval '1 year'")
    monkeypatch.setattr(keeping, "RETIRE_BUDGET_S", 0)
    assert keeper.retire(), "there is more to do, later"

    monkeypatch.setattr(keeping, "RETIRE_BUDGET_S", 60)
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


def test_a_competition_that_opens_again_is_not_over(
    owner: Database,
    worker: Worker,
    settings: Settings,
    forgotten: tuple[Competition, list[Account]],
    reopen: Close,
    execute: Callable[..., list[Any]],
) -> None:
    competition, _ = forgotten
    execute("UPDATE competitions SET journal_retired_at = now() WHERE id = %s", competition.id)

    reopen(competition)

    assert execute("SELECT 1 FROM competitions WHERE forgotten_at IS NULL AND journal_retired_at IS NULL") == [(1,)]


# --- all of it -----------------------------------------------------------------------------------------------------------


def test_the_worker_does_it_by_itself_about_once_a_minute(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("sign", "mark", "trim", "forget", "retire"):
        monkeypatch.setattr(Keeper, name, lambda _keeper, name=name: done.append(name))

    worker.keeper._next = worker.keeper._next_retire = 0
    step(worker)
    step(worker)

    assert done == ["sign", "mark", "trim", "forget", "retire"]
    with worker.db.read() as tx:
        assert positions.count_recorded(tx) == 0
