"""Send the votes of a plan, each when it is due, over a fixed number of connections opened beforehand (an open loop).

A vote that finds no free connection waits for one while its time runs. One core drives several thousand a second.
"""

import asyncio
import contextlib
import gc
import resource
import time
from collections import deque
from collections.abc import Callable, Sequence

import uvloop

from vote.errors import ConfigError, Unavailable
from vote.ops.load.lanes import Lane
from vote.ops.load.measurements import NO_ANSWER, WAITING, Measured
from vote.ops.load.plan import Plan
from vote.ops.load.target import Target

TICK_S = 0.001  # the resolution of due times
BURST = 32  # the most votes to send before reading answers
LAST_ANSWERS_S = 30.0  # how long to wait for the last answers; votes without one then count as unanswered
CONNECT_WITHIN_S = 30.0
CONNECTING_AT_ONCE = 64  # a service may accept a thousand connections, but not within a millisecond
RECONNECT_AFTER_S = 0.1
FILES_BESIDE = 64  # open files other than the load's connections

Request = Callable[[int], bytes]
OnProgress = Callable[[Measured], None]


def send_votes(plan: Plan, target: Target, request: Request, on_progress: OnProgress) -> Measured:
    """Send the votes and return the measurements. `request` returns a vote's bytes; `on_progress` is called repeatedly.

    Raises Unavailable when the connections cannot be opened at the start, ConfigError when this process may not open so
    many.
    """
    _allow_files(plan.connections + FILES_BESIDE)
    return uvloop.run(_Generator(plan, target, request).run(on_progress))


def _allow_files(count: int) -> None:
    """Raise this process's limit on open files; many systems start with 1,024. Raises ConfigError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < count:
        raise ConfigError(f"This system allows {hard:,} open files, but {count:,} are needed. Use fewer --connections.")
    if resource.RLIM_INFINITY != soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class _Generator:
    """An open-loop load generator: lanes, and a queue of votes. `_idle` is a queue, so connections are used in turn."""

    def __init__(self, plan: Plan, target: Target, request: Request) -> None:
        self._plan, self._target, self._request = plan, target, request
        self._tls = target.tls()
        self._measured = Measured(plan)
        self._lanes: set[Lane] = set()
        self._idle: deque[Lane] = deque()
        self._waiting: deque[int] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._began = 0.0
        self._over = asyncio.Event()
        self._is_ending = False

    async def run(self, on_progress: OnProgress) -> Measured:
        """Run the whole load and return the measurements."""
        await self._open_all()
        reporting = asyncio.create_task(self._report_progress(on_progress))
        gc.collect()
        gc.freeze()  # a collection during the load would be measured as the service's latency
        self._began, cpu = time.monotonic(), time.process_time()
        await self._send_all()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), LAST_ANSWERS_S)
        self._measured.cpu_s = time.process_time() - cpu
        self._measured.took_s = time.monotonic() - self._began
        reporting.cancel()
        self._give_up()
        await self._close()
        gc.unfreeze()
        on_progress(self._measured)
        return self._measured

    async def _send_all(self) -> None:
        for vote in range(self._plan.votes):
            due, now = self._began + self._plan.due(vote), time.monotonic()
            if now >= due and vote % BURST == 0:
                await asyncio.sleep(0)  # behind schedule, but answers must still be read
            while now < due:
                await asyncio.sleep(max(due - now, TICK_S))
                now = time.monotonic()
            self._measured.late_s = max(self._measured.late_s, now - due - TICK_S)
            self._waiting.append(vote)
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and self._idle:
            lane = self._idle.popleft()
            if lane.is_open:
                self._send(lane, self._waiting.popleft())

    def _send(self, lane: Lane, vote: int) -> None:
        lane.vote, lane.sent = vote, time.monotonic()
        lane.send(self._request(vote))

    def answered(self, lane: Lane, status: int) -> None:
        """Record the answer, and send the next waiting vote."""
        if lane.vote is not None:
            self._note(lane.vote, status, lane.sent)
            lane.vote = None
        if lane.is_open:
            self._idle.append(lane)
            self._send_waiting()

    def lost(self, lane: Lane, *, unheard: bool) -> None:
        """Open another connection in its place.

        A vote on a connection that was closed while idle is sent again (RFC 9112 §9.3.1: a service may close an idle
        connection at any time, and a vote may be repeated). Any other vote counts as unanswered.
        """
        self._lanes.discard(lane)
        if self._is_ending:
            return
        if lane.vote is not None and unheard:
            self._measured.sent_again += 1
            self._waiting.appendleft(lane.vote)
        elif lane.vote is not None:
            self._note(lane.vote, NO_ANSWER, lane.sent)
        task = asyncio.create_task(self._reopen())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def _note(self, vote: int, status: int, sent: float) -> None:
        due = self._began + self._plan.due(vote)
        self._measured.note(vote, status, due=due, sent=sent, now=time.monotonic())
        if self._measured.answered == self._plan.votes:
            self._over.set()

    async def _open_all(self) -> None:
        limit = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def open_one() -> None:
            async with limit:
                await self._open()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._plan.connections):
                    group.create_task(open_one())
        except ExceptionGroup as errors:
            error, accepted = errors.exceptions[0], len(self._lanes)
            await self._close()
            raise Unavailable(
                f"{self._target.url} accepted {accepted:,} of {self._plan.connections:,} connections: {error}"
            ) from error

    async def _open(self) -> None:
        loop, target = asyncio.get_running_loop(), self._target
        async with asyncio.timeout(CONNECT_WITHIN_S):
            _, lane = await loop.create_connection(lambda: Lane(self), target.host, target.port, ssl=self._tls)
        self._lanes.add(lane)
        self._idle.append(lane)
        self._send_waiting()

    async def _reopen(self) -> None:
        while not self._is_ending:
            with contextlib.suppress(OSError, TimeoutError):
                return await self._open()
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def _report_progress(self, on_progress: OnProgress) -> None:
        while True:
            await asyncio.sleep(0.2)
            on_progress(self._measured)

    def _give_up(self) -> None:
        """Record all waiting votes as unanswered."""
        sent = {lane.vote: lane.sent for lane in self._lanes if lane.vote is not None}
        for vote, status in enumerate(self._measured.statuses):
            if status == WAITING:
                self._note(vote, NO_ANSWER, sent.get(vote, time.monotonic()))

    async def _close(self) -> None:
        """Close every connection, and let the event loop process that."""
        self._is_ending = True
        for task in self._opening:
            task.cancel()
        for lane in self._lanes:
            lane.abort()
        await asyncio.sleep(TICK_S)


def requests(
    target: Target, plan: Plan, competitions: Sequence[int], tokens: Sequence[str], choice: Callable[[int], str]
) -> Request:
    """Return a function that gives the bytes of a vote, as `curl -F vote=a -H "Authorization: Bearer …"` would send it."""
    boundary = "------------------------6f0a2c4e8b1d3579"
    heads = [
        f"POST /vote/{competition} HTTP/1.1\r\nHost: {target.authority}\r\nUser-Agent: vote-load\r\nAccept: */*\r\n".encode()
        for competition in competitions
    ]
    logins = [f"Authorization: Bearer {token}\r\n".encode() for token in tokens]

    def body(key: str) -> bytes:
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="vote"\r\n\r\n{key}\r\n--{boundary}--\r\n'
        head = f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(part)}\r\n\r\n"
        return (head + part).encode()

    bodies = {key: body(key) for key in {choice(vote) for vote in range(min(plan.votes, 100))}}

    def request(vote: int) -> bytes:
        return heads[plan.competition(vote)] + logins[plan.user(vote)] + bodies[choice(vote)]

    return request
