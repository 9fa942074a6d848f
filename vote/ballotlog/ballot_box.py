"""Casts ballots in batches (group commit): takes them one by one and sends them to the log in shared calls.

Ballots that arrive during a call form the next call: a single ballot waits for no others, a thousand share a round trip
and an fsync. The log's function decides (`box.lua`). One press of the button is one call: the box never sends a ballot
twice, and it reports an unknown outcome only after the call's deadline, when the call can no longer take effect (R3).

The box remembers the newest acknowledged ballot of each shard, its mark. The first call on a new connection finds out
whether the log came back without it, before any other ballot is sent there (R6).

While the log is frozen or a connection is dead, each ballot is resolved within ANSWER_WITHIN_S of `cast`: a ballot that
has waited too long behind a stuck call is not sent, and no caller waits long for a new connection.
"""

import asyncio
import contextlib
import time
from collections import Counter
from contextvars import Context
from itertools import groupby
from operator import attrgetter
from typing import Any, get_args

import structlog
from redis.asyncio import Connection
from redis.exceptions import ResponseError

from vote import redis_client
from vote.ballotlog.acknowledged_marks import compare
from vote.ballotlog.batch_encoding import packed_cast
from vote.ballotlog.box_connection import BoxConnection
from vote.ballotlog.clock import LogClock
from vote.ballotlog.pending_ballot import APPENDED, CastResult, Outcome, PendingBallot, refuse_late
from vote.domain.ballot import shard_of
from vote.domain.installation import Installation
from vote.domain.mark import AcknowledgedMark
from vote.metrics.registry import start_at_zero
from vote.metrics.web import ACCEPTED, BALLOTS, BATCH_BALLOTS, LOG_FSYNC_DELAYED

ANSWER_WITHIN_S = 1.7  # from `cast` on, so that a vote is answered within 2 s
CALL_BUDGET_S = 1.5  # then the ballot gets 503; an fsync on a busy disk stays far below
FSYNC_SLOW_S = 0.1  # an answer that takes longer waited for the disk: each call has an fsync
LEAST_BUDGET_S = 0.4  # a ballot with less time left is not sent: 503 at once beats a call that can hardly succeed
BATCH_MAX = 1_000  # ballots in one call: some 10 ms of the log's time

logger = structlog.get_logger()

COLD = ("cold", "behind")  # nothing was done, and a worker makes the shard ready
NO_MARK = AcknowledgedMark("", 0, "")
NOT_READY = "Not confirmed: the ballot log is getting ready. Press again in a moment, it cannot count twice."


class BallotBox:
    """Group commit of one process's ballots, over one connection. Belongs to one event loop."""

    def __init__(self, url: str, shards: int, installation: Installation, *, wait_replicas: int = 0) -> None:
        """Create a box. `wait_replicas`: the number of replicas that must have a ballot before it is accepted (R1)."""
        start_at_zero(BALLOTS, *get_args(CastResult))
        self.marks: dict[int, AcknowledgedMark] = {}  # by shard: the newest ballot that this box acknowledged (R6)
        self._shards = shards
        self._installation = installation
        self._wait_replicas = wait_replicas
        self._clock = LogClock()
        self._kept = BoxConnection(url, self._clock, check=self._compare)
        self._queue: list[PendingBallot] = []
        self._running: asyncio.Task[None] | None = None
        self._told_later: set[asyncio.Task[None]] = set()
        self._compare_next = False
        self._broken = asyncio.Event()

    async def cast(self, *, competition: int, voter: int, choice: str, ballot_id: str) -> Outcome:
        """Cast a ballot and return the log's decision.

        Raises LogUnavailable when the ballot is not confirmed: it may be stored or not. Raises ValueError for text that
        is not ASCII, which can be neither an option key nor an id. Cancelling the call does not recall the ballot.
        """
        if not (choice.isascii() and ballot_id.isascii()):
            raise ValueError("choice and ballot_id are ASCII")
        shard = shard_of(competition, voter, self._shards)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append(PendingBallot(competition, voter, choice, ballot_id, shard, outcome, time.monotonic()))
        self._go_on()
        return await outcome

    async def connect(self) -> None:
        """Connect ahead of the first ballot, so that it need not wait. A failure is left for that ballot to report."""
        with contextlib.suppress(*redis_client.LogError, TimeoutError):
            await self._connected()

    def compare_soon(self) -> None:
        """Have the log compare this box's marks with its entries (R6), before the next ballots."""
        if self.marks:
            self._compare_next = True
            self._go_on()

    async def until_broken(self, seconds: float) -> None:
        """Return when the connection to the log breaks, or after this many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._broken.wait(), seconds)
        self._broken.clear()

    async def close(self) -> None:
        """Resolve every pending ballot, then disconnect."""
        if self._running is not None:
            await self._running
        if self._told_later:
            await asyncio.wait(self._told_later)
        await self._kept.close()

    def _go_on(self) -> None:
        if self._running is None or self._running.done():
            # Without the id of the request that happens to be first: the call is for all that wait.
            self._running = asyncio.create_task(self._run(), context=Context())

    async def _run(self) -> None:
        while self._queue or self._compare_next:
            if self._compare_next:
                await self._compare_now()
            batch, self._queue = self._queue[:BATCH_MAX], self._queue[BATCH_MAX:]
            latest = time.monotonic() - ANSWER_WITHIN_S + LEAST_BUDGET_S
            if batch and batch[0].since < latest:
                batch = refuse_late(batch, latest)
            if batch:
                BATCH_BALLOTS.observe(len(batch))
                await self._cast_batch(batch, batch[0].since + ANSWER_WITHIN_S)

    async def _compare_now(self) -> None:
        self._compare_next = False
        try:
            open_connection = await self._connected()  # a new connection has compared already
            async with asyncio.timeout(CALL_BUDGET_S):
                await self._compare(open_connection)
        except Exception as error:  # noqa: BLE001  # whatever it is: the next comparison or ballot starts afresh
            _note(error)
            await self._drop()

    async def _compare(self, open_connection: Connection) -> None:
        if self.marks:
            await compare(open_connection, str(self._installation.id), self.marks)

    async def _cast_batch(self, batch: list[PendingBallot], until: float) -> None:
        """Cast the batch. `until` (monotonic): the time by which its first ballot must be resolved."""
        try:
            installation = self._installation.id
            if installation is None:
                raise ConnectionError
            open_connection = await self._connected()
        except Exception as error:  # noqa: BLE001  # whatever it is: no ballot may wait forever
            _note(error)
            await self._drop()
            for ballot in batch:
                ballot.fail()  # nothing was sent, so there is nothing to wait for
            return
        budget_s = min(CALL_BUDGET_S, until - time.monotonic())
        deadline_ms, passed_at = self._clock.deadline(budget_s)
        batch.sort(key=attrgetter("shard"))  # stable: ballots of one voter stay in order
        by_shard = [list(group) for _, group in groupby(batch, key=attrgetter("shard"))]
        try:
            async with asyncio.timeout(budget_s):
                answers = await self._exchange(
                    open_connection,
                    [self._packed(group, installation, deadline_ms) for group in by_shard],
                    budget_s,
                )
        except Exception as error:  # noqa: BLE001  # as above
            _note(error)
            await self._drop()
            self._tell_later(batch, passed_at)
            return
        for group, answer in zip(by_shard, answers, strict=True):
            self._tell(group, answer)

    def _packed(self, group: list[PendingBallot], installation: str, deadline_ms: int) -> bytes:
        mark = self.marks.get(group[0].shard, NO_MARK)
        waited = str(int(self._wait_replicas > 0))
        return packed_cast(
            group[0].shard, group, installation, str(deadline_ms), waited, mark.epoch, str(mark.position)
        )

    def _tell(self, group: list[PendingBallot], answer: Any) -> None:
        if not isinstance(answer, list) or answer[1] != "ok":
            # Nothing was done. A server error (full, read-only, no library) promises nothing either.
            is_cold = isinstance(answer, list) and answer[1] in COLD
            for ballot in group:
                ballot.fail(NOT_READY if is_cold else None)
            return
        epoch, position, words = answer[2], answer[3], answer[4:]
        _count(words)
        newest = max((i for i, word in enumerate(words) if word in APPENDED), default=None)
        if newest is not None:  # R6: set the mark before any voter gets an answer
            last = position + sum(word in APPENDED for word in words)
            self.marks[group[0].shard] = AcknowledgedMark(epoch, last, group[newest].ballot_id)
        for ballot, word in zip(group, words, strict=True):
            appended = word in APPENDED
            position += appended
            ballot.resolve(Outcome(word, ballot.shard, epoch, position if appended else None))

    async def _exchange(self, open_connection: Connection, commands: list[bytes], budget_s: float) -> list[Any]:
        began = time.monotonic()
        await open_connection.send_packed_command(commands, check_health=False)
        answers = [await _answer(open_connection) for _ in commands]
        if time.monotonic() - began > FSYNC_SLOW_S:
            LOG_FSYNC_DELAYED.inc()
        if self._wait_replicas:
            await self._wait_for_replicas(open_connection, budget_s)
        for answer in answers:
            if isinstance(answer, list):
                self._clock.learn(began, time.monotonic(), answer[0])
        return answers

    async def _wait_for_replicas(self, open_connection: Connection, budget_s: float) -> None:
        """Raise TimeoutError unless the replicas have the ballots of this call: only then are they accepted (R1)."""
        await open_connection.send_command("WAIT", self._wait_replicas, int(budget_s * 1000))
        reached = await _answer(open_connection)
        if not isinstance(reached, int) or reached < self._wait_replicas:
            raise TimeoutError

    async def _connected(self) -> Connection:
        return await self._kept.get()

    async def _drop(self) -> None:
        if self._kept.is_open:
            self._broken.set()
        await self._kept.drop()

    def _tell_later(self, batch: list[PendingBallot], passed_at: float) -> None:
        """Fail the ballots after the call's deadline: until then a stuck call may still take effect (R3)."""

        async def tell() -> None:
            await asyncio.sleep(max(0.0, passed_at - time.monotonic()))
            for ballot in batch:
                ballot.fail()

        task = asyncio.create_task(tell())
        self._told_later.add(task)
        task.add_done_callback(self._told_later.discard)


def _note(error: Exception) -> None:
    """Log an unexpected error. Metrics show when the log is down, so that is not logged."""
    if not isinstance(error, (*redis_client.LogError, TimeoutError)):
        logger.error("a call to the log failed", exc_info=error)


async def _answer(open_connection: Connection) -> Any:
    """Return the next answer. A server error is an answer too: the answers after it are still to be read."""
    try:
        return await open_connection.read_response()
    except ResponseError as error:
        return error


def _count(words: list[CastResult]) -> None:
    counts = Counter(words)
    for word, count in counts.items():
        BALLOTS.labels(word).inc(count)
    ACCEPTED.inc(sum(counts[word] for word in APPENDED))
