"""Accepted means on disk: each acknowledgement is preceded by an fdatasync that covers it, and a power cut loses none.

The control runs `appendfsync everysec`: there the same oracle must find violations, else it proves nothing.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Pair, start_log
from tests.tracing import Answer, traced
from vote.ballotlog.ballot_box import BallotBox
from vote.ballotlog.entries import Rules
from vote.ballotlog.log import BallotLog
from vote.domain.ballot import Ballot
from vote.domain.installation import Installation
from vote.errors import LogUnavailable
from vote.ops.embedded.programs import ServerSource

ACKS = 10_000
SHARDS = 8
RULES = Rules(1, 1, "open", None, None, False, "ab")

pytestmark = [pytest.mark.system, pytest.mark.strace]


@pytest.fixture
def pair(server_source: ServerSource, tmp_path: Path) -> Iterator[Pair]:
    """A log of this test's own: its disk is going to be cut."""
    one = start_log(server_source, tmp_path / "pair")
    yield one
    one.stop()


def make_ready(pair: Pair) -> BallotLog:
    """A log that takes ballots for competition 1; what a worker would do, without PostgreSQL."""
    log = BallotLog(pair.redis_url, SHARDS, Installation("tests"))
    log.load_library()
    for number in range(SHARDS):
        if not log.describe(number).epoch:
            log.claim(number, "")
            log.begin_epoch(log.describe(number), "life")
        log.push_rules(log.describe(number), [RULES], warming=True)
        log.make_ready(log.describe(number))
    return log


def cast_many(url: str, voters: range, *, at_once: int = 1) -> list[int]:
    """Cast one ballot for each voter; returns who was told accepted, in order."""

    async def run() -> list[int]:
        box, accepted, waiting = BallotBox(url, SHARDS, Installation("tests")), [], iter(voters)

        async def one_by_one() -> None:
            for voter in waiting:
                try:
                    outcome = await box.cast(competition=1, voter=voter, choice="a", ballot_id=secrets.token_hex(16))
                except LogUnavailable:
                    continue
                assert outcome.result == "accepted"
                accepted.append(voter)

        await asyncio.gather(*(one_by_one() for _ in range(at_once)))
        await box.close()
        return accepted

    return asyncio.run(run())


def voters_in(log: BallotLog) -> set[int]:
    entries = [entry.content for shard in range(SHARDS) for entry in log.read_after(shard, 0, 100_000)]
    return {entry.voter for entry in entries if isinstance(entry, Ballot)}


def violations(answers: list[Answer]) -> int:
    return sum(answer.synced < answer.written for answer in answers)


def aof_of(pair: Pair) -> Path:
    """The file the log appends to."""
    return next(iter(sorted(pair.log_data.rglob("*.incr.aof"))))


def test_each_acknowledgement_is_preceded_by_a_sync_that_covers_it(pair: Pair, tmp_path: Path) -> None:
    log = make_ready(pair)

    with traced(pair.log_pid, tmp_path / "trace") as trace:
        accepted = cast_many(pair.redis_url, range(1, ACKS + 1), at_once=50)

    answers = trace.answers()
    assert len(accepted) == ACKS
    assert len(answers) > ACKS / 100, "the oracle saw the answers"
    assert violations(answers) == 0
    log.close()


def test_the_oracle_sees_a_log_that_syncs_every_second(pair: Pair, tmp_path: Path) -> None:
    log = make_ready(pair)
    log._call("CONFIG SET", "appendfsync", "everysec")

    with traced(pair.log_pid, tmp_path / "trace") as trace:
        cast_many(pair.redis_url, range(1, 301))

    assert violations(trace.answers()) > 0
    log.close()


@pytest.mark.parametrize(("fsync", "cuts", "may_lose"), [("always", 100, False), ("everysec", 5, True)])
def test_a_power_cut_after_any_acknowledgement_loses_none(
    pair: Pair, tmp_path: Path, fsync: str, cuts: int, may_lose: bool
) -> None:
    log = make_ready(pair)
    log._call("CONFIG SET", "appendfsync", fsync)
    aof = aof_of(pair)

    for first in (1, 201, 401):  # again where a call took too long: then answers and acknowledgements are out of step
        before = aof.stat().st_size
        with traced(pair.log_pid, tmp_path / f"trace-{first}") as trace:
            accepted = cast_many(pair.redis_url, range(first, first + 200))
        if len(accepted) == 200:
            break
    assert len(accepted) == 200
    log.close()
    pair.kill_log()
    shutil.copytree(pair.log_data, tmp_path / "kept")
    # One at a time: each ballot's answers are those of one call, so the last 200 answers are the 200 acknowledgements.
    told = trace.answers()[-len(accepted) :]
    lost = 0
    for number in range(len(accepted) // cuts - 1, len(accepted), len(accepted) // cuts):
        restore(tmp_path / "kept", pair.log_data)
        os.truncate(aof, before + told[number].synced)
        pair.restart_log()
        reader = BallotLog(pair.redis_url, SHARDS, Installation("tests"))
        lost += len(set(accepted[: number + 1]) - voters_in(reader))
        reader.close()

    assert (lost > 0) == may_lose


def restore(kept: Path, data: Path) -> None:
    """The files as they were, with their owners."""
    for file in kept.rglob("*"):
        if file.is_file():
            target = data / file.relative_to(kept)
            target.write_bytes(file.read_bytes())


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "write:error=ENOSPC"])
def test_a_disk_that_fails_is_never_called_accepted(pair: Pair, tmp_path: Path, fault: str) -> None:
    log = make_ready(pair)
    first = cast_many(pair.redis_url, range(1, 101))
    log.close()
    # Only writes to the log file fail: strace counts from the moment it is attached, and -P picks the file.
    aof = str(aof_of(pair))

    with traced(pair.log_pid, tmp_path / "trace", fault, only=aof):
        during = cast_many(pair.redis_url, range(101, 121))

    pair.restart_log()
    log = make_ready(pair)
    after = cast_many(pair.redis_url, range(200, 220))

    assert during == []
    assert len(after) == 20
    assert set(first) | set(after) <= voters_in(log)
    log.close()
