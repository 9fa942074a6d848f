"""The ballot box: takes ballots one by one and casts them in batches, as group commit does.

Ballots that arrive while a call is under way form the next call: one ballot alone waits for nobody, a thousand share a
round trip and an fsync. The log's function decides (`box.lua`). One call for one press of the button: nothing is sent
a second time from here, and an unknown outcome is told only after the call's deadline, when it can no longer land (R3).

A log that is frozen, or behind a connection that leads nowhere, costs each ballot ANSWER_WITHIN_S at most, from `put` until
it is told: who stood behind a stuck call for too long is not sent any more, and nobody waits long for a new connection.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, NamedTuple

import structlog
from redis.asyncio import Connection
from redis.exceptions import ResponseError

from vote.ballotlog import connection, keys
from vote.ballotlog.clock import LogClock
from vote.ballotlog.kept_connection import KeptConnection
from vote.domain.ballot import shard_of
from vote.errors import LogUnavailable
from vote.metrics import ACCEPTED, BALLOTS, BATCH_BALLOTS

ANSWER_WITHIN_S = 1.7  # of `put`: with the limit before it (0.3 s), a press is answered within 2 s
CALL_BUDGET_S = 1.5  # after this a ballot is 503; an fsync on a busy disk stays far below
LEAST_BUDGET_S = (
    0.4  # a ballot with less time left is not sent: 503 at once is better than a call that hardly can succeed
)
BALLOT_ARGUMENTS = 5  # of the function, per ballot
BATCH_MAX = 1_000  # ballots in one call: some 10 ms of the log's time

lines = structlog.get_logger()

Word = Literal["accepted", "changed", "again", "already", "early", "closed", "no_option", "unknown"]
APPENDED: tuple[Word, ...] = ("accepted", "changed")
NOT_READY = "Not confirmed: the ballot log is getting ready. Press again in a moment, it cannot count twice."


class Outcome(NamedTuple):
    """What the log decided. `position` is the ballot's place when it was appended."""

    word: Word
    shard: int
    position: int | None


Tell = Callable[["Outcome | LogUnavailable"], None]


class _Waiting(NamedTuple):
    competition: int
    voter: int
    choice: str
    ballot_id: str
    shard: int
    tell: Tell
    since: float  # monotonic: when it was put

    def fail(self, detail: str | None = None) -> None:
        self.settle(LogUnavailable(detail))

    def settle(self, outcome: "Outcome | LogUnavailable") -> None:
        try:
            self.tell(outcome)
        except Exception:  # noqa: BLE001  # whatever happens to one voter's answer, the others of the call get theirs
            lines.exception("an outcome was not told")


class BallotBox:
    """Casts ballots for one process, over one connection. Belongs to one event loop."""

    def __init__(self, url: str, shards: int, *, wait_replicas: int = 0) -> None:
        """`wait_replicas`: how many replicas must have a ballot before it is called accepted (R1)."""
        self._shards = shards
        self._wait_replicas = wait_replicas
        self._clock = LogClock()
        self._kept = KeptConnection(url, self._clock)
        self._queue: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None
        self._told_later: set[asyncio.Task[None]] = set()

    def put(self, *, competition: int, voter: int, choice: str, ballot_id: str, tell: Tell) -> None:
        """Cast one ballot; `tell` is called once with what the log decided, or with LogUnavailable when it is not
        confirmed: then it may be stored or not. It is called from the event loop, after this returned, and raises nothing.

        Raises ValueError for text that is not ASCII: it can be neither an option's key nor an id.
        """
        if not (choice.isascii() and ballot_id.isascii()):
            raise ValueError("choice and ballot_id are ASCII")
        shard = shard_of(competition, voter, self._shards)
        self._queue.append(_Waiting(competition, voter, choice, ballot_id, shard, tell, time.monotonic()))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def cast(self, *, competition: int, voter: int, choice: str, ballot_id: str) -> Outcome:
        """Cast one ballot and wait. Raises LogUnavailable when it is not confirmed, and what `put` raises."""
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def tell(outcome: Outcome | LogUnavailable) -> None:
            if told.done():
                return  # the client has gone away
            if isinstance(outcome, LogUnavailable):
                told.set_exception(outcome)
            else:
                told.set_result(outcome)

        self.put(competition=competition, voter=voter, choice=choice, ballot_id=ballot_id, tell=tell)
        return await told

    async def close(self) -> None:
        """Let everybody be told, then disconnect."""
        if self._running is not None:
            await self._running
        if self._told_later:
            await asyncio.wait(self._told_later)
        await self._kept.close()

    async def _run(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:BATCH_MAX], self._queue[BATCH_MAX:]
            latest = time.monotonic() - ANSWER_WITHIN_S + LEAST_BUDGET_S
            if batch[0].since < latest:
                batch = _refuse_late(batch, latest)
            if batch:
                BATCH_BALLOTS.observe(len(batch))
                await self._cast_batch(batch, batch[0].since + ANSWER_WITHIN_S)

    async def _cast_batch(self, batch: list[_Waiting], until: float) -> None:
        """Cast what is in time before `until` (monotonic), when the first of them must have been told."""
        try:
            open_connection = await self._connected()
        except Exception as error:  # noqa: BLE001  # whatever it is: nobody may wait for ever
            _note(error)
            await self._kept.drop()
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
                    [_packed(group, deadline_ms, waited=self._wait_replicas > 0) for group in by_shard],
                    budget_s,
                )
        except Exception as error:  # noqa: BLE001  # as above
            _note(error)
            await self._kept.drop()
            self._tell_later(batch, passed_at)
            return
        for group, answer in zip(by_shard, answers, strict=True):
            _tell(group, answer)

    async def _exchange(self, open_connection: Connection, commands: list[bytes], budget_s: float) -> list[Any]:
        began = time.monotonic()
        await open_connection.send_packed_command(commands, check_health=False)
        answers = [await _answer(open_connection) for _ in commands]
        if self._wait_replicas:
            await self._wait_for_replicas(open_connection, budget_s)
        for answer in answers:
            if isinstance(answer, list):
                self._clock.learn(began, time.monotonic(), answer[0])
        return answers

    async def _wait_for_replicas(self, open_connection: Connection, budget_s: float) -> None:
        """R1: the ballots of this call lie on the replicas too, or nobody is told that they are accepted."""
        await open_connection.send_command("WAIT", self._wait_replicas, int(budget_s * 1000))
        reached = await _answer(open_connection)
        if not isinstance(reached, int) or reached < self._wait_replicas:
            raise TimeoutError

    async def _connected(self) -> Connection:
        return await self._kept.get()

    def _tell_later(self, batch: list[_Waiting], passed_at: float) -> None:
        """R3: a call stuck on the way may still land until its deadline; only then may its ballots be pressed again."""

        async def tell() -> None:
            await asyncio.sleep(max(0.0, passed_at - time.monotonic()))
            for ballot in batch:
                ballot.fail()

        task = asyncio.create_task(tell())
        self._told_later.add(task)
        task.add_done_callback(self._told_later.discard)


def _refuse_late(batch: list[_Waiting], latest: float) -> list[_Waiting]:
    """Tell those who were put before `latest` that their ballot was not sent; returns the others."""
    for ballot in batch:
        if ballot.since < latest:
            ballot.fail()
    return [ballot for ballot in batch if ballot.since >= latest]


def _note(error: Exception) -> None:
    """Tell of what nobody expected; that the log is away is told by its metrics."""
    if not isinstance(error, (*connection.LogError, TimeoutError)):
        lines.error("a call to the log failed", exc_info=error)


async def _answer(open_connection: Connection) -> Any:
    """The next answer; an error of the server is an answer too, and leaves the ones behind it to be read."""
    try:
        return await open_connection.read_response()
    except ResponseError as error:
        return error


def _packed(group: list[_Waiting], deadline_ms: int, *, waited: bool) -> bytes:
    """The call for one shard's ballots as RESP, as the server reads it.

    Everything in it is a number, an option key or hexadecimal digits, so a character is a byte; the client library's
    packing asks each argument for its type, which takes as long as the log takes for the ballot.
    """
    shard = group[0].shard
    names = [keys.log(shard), keys.state(shard), keys.rules(shard)]
    place: dict[int, int] = {}
    ballots = []
    for ballot in group:
        if ballot.competition not in place:
            names.append(keys.voters(shard, ballot.competition))
            place[ballot.competition] = len(names)
        index, competition, voter = str(place[ballot.competition]), str(ballot.competition), str(ballot.voter)
        ballots.append(
            f"${len(index)}\r\n{index}\r\n${len(competition)}\r\n{competition}\r\n${len(voter)}\r\n{voter}\r\n"
            f"${len(ballot.choice)}\r\n{ballot.choice}\r\n${len(ballot.ballot_id)}\r\n{ballot.ballot_id}\r\n"
        )
    head = ("FCALL", "vote_cast", str(len(names)), *names, str(deadline_ms), str(int(waited)))
    count = len(head) + BALLOT_ARGUMENTS * len(group)
    return "".join([f"*{count}\r\n", *(f"${len(one)}\r\n{one}\r\n" for one in head), *ballots]).encode("ascii")


def _tell(group: list[_Waiting], answer: Any) -> None:
    if not isinstance(answer, list) or answer[1] != "ok":
        # Expired and cold: nothing was done. An error of the server (full, read-only, no library) promises nothing.
        is_cold = isinstance(answer, list) and answer[1] == "cold"
        for ballot in group:
            ballot.fail(NOT_READY if is_cold else None)
        return
    position, words = answer[2], answer[3:]
    _count(words)
    for ballot, word in zip(group, words, strict=True):
        appended = word in APPENDED
        position += appended
        ballot.settle(Outcome(word, ballot.shard, position if appended else None))


def _count(words: list[Word]) -> None:
    counts = Counter(words)
    for word, count in counts.items():
        BALLOTS.labels(word).inc(count)
    ACCEPTED.inc(sum(counts[word] for word in APPENDED))
