"""The ballot box and the log's functions on a real Valkey (or Redis): one person one vote, deadlines, cold shards."""

import asyncio
import itertools
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from tests.casting import box_of, cast, cast_all
from tests.servers import Pair
from tests.stack import DEADLINE_S
from vote.actions import competitions as change
from vote.ballotlog import ballot_box as box_module
from vote.ballotlog import box_connection
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.ballotlog.pending_ballot import Outcome
from vote.config import Settings
from vote.db.pool import Database
from vote.domain.ballot import Ballot, shard_of
from vote.domain.competition import Competition
from vote.errors import LogUnavailable
from vote.worker.worker import Worker

Make = Callable[..., Competition]
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def ballots_in(log: BallotLog) -> list[Ballot]:
    entries = [entry for shard in range(log.shards) for entry in log.read_after(shard, 0, 10_000)]
    return [entry.content for entry in entries if isinstance(entry.content, Ballot)]


def test_two_hundred_ballots_of_one_voter_at_once_are_one(
    settings: Settings, log: BallotLog, worker: Worker, make_competition: Make
) -> None:
    competition = make_competition()

    outcomes = cast_all(settings, [(competition.id, 7, "ab"[i % 2]) for i in range(200)])

    words = [outcome.result for outcome in outcomes]
    assert (words.count("accepted"), words.count("again"), words.count("already")) == (1, 99, 100)
    assert len(ballots_in(log)) == 1


def test_positions_are_continuous(settings: Settings, log: BallotLog, worker: Worker, make_competition: Make) -> None:
    competition = make_competition()

    outcomes = cast_all(settings, [(competition.id, voter, "a") for voter in range(1, 301)])

    for shard in range(log.shards):
        entries = log.read_after(shard, 0, 10_000)
        assert [entry.position for entry in entries] == list(range(1, log.describe(shard).last + 1))
        told = {outcome.position for outcome in outcomes if outcome.shard == shard}
        assert told == {entry.position for entry in entries if isinstance(entry.content, Ballot)}


def test_what_cannot_be_stored_is_told_apart(
    owner: Database, settings: Settings, log: BallotLog, worker: Worker, make_competition: Make
) -> None:
    open_one, scheduled = make_competition(), make_competition(opens_at=NOW + HOUR)
    closed = make_competition()
    cast(settings, closed.id, 7, "a")
    change.close_voting(owner, log, closed.id, by="tests")

    words = [
        cast(settings, competition, 7, choice).result
        for competition, choice in [
            (open_one.id, "c"),
            (scheduled.id, "a"),
            (closed.id, "b"),
            (closed.id, "a"),
            (4_711, "a"),
        ]
    ]

    assert words == ["no_option", "early", "closed", "again", "unknown"]


def test_the_shards_own_clock_closes(
    settings: Settings, log: BallotLog, worker: Worker, make_competition: Make
) -> None:
    competition = make_competition(closes_at=NOW + HOUR)
    shard = log.describe(cast(settings, competition.id, 7, "a").shard)
    rules = Rules.from_competition(competition)
    passed = Rules(rules.competition, rules.version + 1, "open", None, NOW, False, "ab")

    assert log.push_rules(shard, [passed]).status == "ok"
    same_shard = next(v for v in range(8, 10_000) if shard_of(competition.id, v, log.shards) == shard.number)

    assert cast(settings, competition.id, same_shard, "a").result == "closed"


def test_a_call_after_its_deadline_does_nothing(
    settings: Settings, log: BallotLog, worker: Worker, make_competition: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    competition = make_competition()
    monkeypatch.setattr(box_module, "CALL_BUDGET_S", -0.5)

    with pytest.raises(LogUnavailable):
        cast(settings, competition.id, 7, "a")

    assert ballots_in(log) == []


def test_an_unknown_outcome_is_told_only_after_the_deadline(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    servers: Pair,
    make_competition: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R3: when the voter is told 503, the ballot that is stuck in the socket can no longer land."""
    competition = make_competition()
    monkeypatch.setattr(box_module, "CALL_BUDGET_S", 0.4)

    async def press() -> float:
        box = box_of(settings)
        await box.cast(competition=competition.id, voter=1, choice="a", ballot_id=secrets.token_hex(16))
        servers.freeze_log()
        began = time.monotonic()
        with pytest.raises(LogUnavailable):
            await box.cast(competition=competition.id, voter=7, choice="a", ballot_id=secrets.token_hex(16))
        waited = time.monotonic() - began
        servers.thaw_log()
        await box.close()
        return waited

    try:
        waited = asyncio.run(press())
    finally:
        servers.thaw_log()

    assert waited >= 0.4
    assert cast(settings, competition.id, 7, "b").result == "accepted"
    assert [ballot.choice for ballot in ballots_in(log) if ballot.voter == 7] == ["b"]


def test_a_restarted_log_is_cold_until_a_worker_has_compared_it(
    settings: Settings, log: BallotLog, worker: Worker, servers: Pair, make_competition: Make
) -> None:
    competition = make_competition()
    cast(settings, competition.id, 7, "a")

    servers.restart_log()
    with pytest.raises(LogUnavailable):
        cast(settings, competition.id, 8, "a")
    worker.step()

    assert cast(settings, competition.id, 8, "a").result == "accepted"
    assert cast(settings, competition.id, 7, "a").result == "again"


def test_who_stops_waiting_keeps_nobody_else_waiting(
    settings: Settings, worker: Worker, make_competition: Make
) -> None:
    """They share a call and a shard; the ballot of who has gone is cast all the same."""
    competition = make_competition()
    shards = settings.vote_shards
    wanted = shard_of(competition.id, 1, shards)
    neighbour = next(voter for voter in itertools.count(2) if shard_of(competition.id, voter, shards) == wanted)

    async def run() -> tuple[Outcome, Outcome]:
        box = box_of(settings)
        gone, here = (
            asyncio.create_task(
                box.cast(competition=competition.id, voter=voter, choice="a", ballot_id=secrets.token_hex(16))
            )
            for voter in (1, neighbour)
        )
        await asyncio.sleep(0)  # both are in the box
        gone.cancel()
        async with asyncio.timeout(DEADLINE_S):
            told = await here
        again = await box.cast(competition=competition.id, voter=1, choice="a", ballot_id=secrets.token_hex(16))
        await box.close()
        return told, again

    told, again = asyncio.run(run())

    assert (told.result, again.result) == ("accepted", "again")


def test_a_log_that_is_down_costs_no_time_and_works_again_when_it_is_back(
    settings: Settings,
    log: BallotLog,
    worker: Worker,
    servers: Pair,
    make_competition: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    competition = make_competition()
    monkeypatch.setattr(box_connection, "RETRY_S", 0.5)  # longer than a busy machine lets nobody press

    async def press(box: BallotBox, voter: int) -> Outcome:
        return await box.cast(competition=competition.id, voter=voter, choice="a", ballot_id=secrets.token_hex(16))

    refused, give_up_at = threading.Event(), time.monotonic() + 10

    async def run() -> Outcome:
        box = box_of(settings)
        await press(box, 1)
        servers.kill_log()
        failed = await asyncio.gather(*(press(box, voter) for voter in range(2, 50)), return_exceptions=True)
        assert all(isinstance(error, LogUnavailable) for error in failed)
        refused.set()
        while time.monotonic() < give_up_at:  # people press all the time, more often than the log is asked
            with suppress(LogUnavailable):
                outcome = await press(box, 100)
                await box.close()
                return outcome
            await asyncio.sleep(0.01)
        raise AssertionError("it is never asked again")

    with ThreadPoolExecutor(1) as background:
        pressing = background.submit(asyncio.run, run())
        assert refused.wait(DEADLINE_S)
        servers.restart_log()
        worker.step()
        assert pressing.result().result == "accepted"


def test_pushes_of_another_life_or_an_older_version_are_refused(
    log: BallotLog, worker: Worker, make_competition: Make
) -> None:
    competition = make_competition()
    shard, rules = log.describe(0), Rules.from_competition(competition)
    higher = Rules(rules.competition, rules.version + 1, "closing", None, None, False, "ab")

    assert log.push_rules(shard._replace(epoch="another"), [higher]).status == "foreign"
    assert log.push_rules(shard._replace(instance="another"), [higher]).status == "foreign"
    assert log.push_rules(shard._replace(now_ms=shard.now_ms - 60_000), [higher]).status == "expired"
    before = log.describe(0).last
    assert log.push_rules(shard, [rules]).status == "ok"
    assert log.describe(0).last == before, "an equal version leaves no entry"


def test_the_log_says_why_it_may_not_hold_ballots(log: BallotLog, worker: Worker) -> None:
    assert log.unsafe_settings() == []

    log._call("CONFIG SET", "appendfsync", "everysec")
    try:
        assert log.unsafe_settings() == ["the ballot log runs appendfsync everysec, it needs always"]
    finally:
        log._call("CONFIG SET", "appendfsync", "always")


def test_a_full_log_refuses_and_loses_nothing(
    settings: Settings, log: BallotLog, worker: Worker, make_competition: Make
) -> None:
    competition = make_competition()
    cast(settings, competition.id, 7, "a")

    log._call("CONFIG SET", "maxmemory", "1")
    try:
        with pytest.raises(LogUnavailable):
            cast(settings, competition.id, 8, "a")
    finally:
        log._call("CONFIG SET", "maxmemory", "0")

    assert cast(settings, competition.id, 8, "a").result == "accepted"
    assert len(ballots_in(log)) == 2


def test_a_process_connects_before_its_first_ballot_unless_the_log_is_away(
    settings: Settings, log: BallotLog, servers: Pair
) -> None:
    async def run() -> None:
        box = box_of(settings)
        await box.connect()
        assert len(log._call("CLIENT LIST")) > before
        await box.close()
        away = box_of(settings.model_copy(update={"redis_url": "unix:///nowhere/valkey.sock"}))
        await away.connect()  # returns: the first ballot tries again
        await away.close()

    before = len(log._call("CLIENT LIST"))
    asyncio.run(run())
