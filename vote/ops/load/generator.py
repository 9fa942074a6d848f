"""Sends the votes of a plan, each when it is due, over a fixed number of connections that are open from the start.

A vote that finds no connection free waits for one while its time runs. One core drives several thousand a second.
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

TICK_S = 0.001  # between two looks at what is due
BURST = 32  # votes sent in one go at most
LAST_ANSWERS_S = 30.0  # how long the last answers are waited for; who has none then is told as unanswered
CONNECT_WITHIN_S = 30.0
CONNECTING_AT_ONCE = 64  # a service may take a thousand connections, but not in the same millisecond
RECONNECT_AFTER_S = 0.1
FILES_BESIDE = 64  # open files that are no connections of the load

Request = Callable[[int], bytes]
OnProgress = Callable[[Measured], None]


def send_votes(plan: Plan, target: Target, request: Request, tell: OnProgress) -> Measured:
    """Send the votes and return what came of them. `request` gives the bytes of a vote; `tell` is called now and then.

    Raises Unavailable when the connections cannot be opened before it begins, ConfigError when this process may not open
    so many.
    """
    _allow_files(plan.connections + FILES_BESIDE)
    return uvloop.run(_Generator(plan, target, request).run(tell))


def _allow_files(count: int) -> None:
    """Let this process hold so many connections; many systems begin with 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < count:
        raise ConfigError(
            f"This system allows {hard:,} open files, and {count:,} are needed: take fewer --connections."
        )
    if resource.RLIM_INFINITY != soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


class _Generator:
    """The lanes and the votes between them. `_idle` is a queue, so that every connection takes its turn."""

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

    async def run(self, tell: OnProgress) -> Measured:
        """The whole load."""
        await self._open_all()
        telling = asyncio.create_task(self._tell_often(tell))
        gc.collect()
        gc.freeze()  # what is there now stays: collections in the middle would be measured as the service's
        self._began, cpu = time.monotonic(), time.process_time()
        await self._send_all()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), LAST_ANSWERS_S)
        self._measured.cpu_s = time.process_time() - cpu
        self._measured.took_s = time.monotonic() - self._began
        telling.cancel()
        self._give_up()
        await self._close()
        gc.unfreeze()
        tell(self._measured)
        return self._measured

    async def _send_all(self) -> None:
        for vote in range(self._plan.votes):
            due, now = self._began + self._plan.due(vote), time.monotonic()
            if now >= due and vote % BURST == 0:
                await asyncio.sleep(0)  # behind time: answers must be read all the same
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
        """Note the answer, and give the lane what waits."""
        if lane.vote is not None:
            self._note(lane.vote, status, lane.sent)
            lane.vote = None
        if lane.is_open:
            self._idle.append(lane)
            self._send_waiting()

    def lost(self, lane: Lane, *, unheard: bool) -> None:
        """Open another connection in its place.

        A vote whose idle connection was closed under its hands is sent again (RFC 9112 §9.3.1: a service may close an
        idle one at any time, and a vote may be repeated); any other is without answer.
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
        places = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def one() -> None:
            async with places:
                await self._open()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._plan.connections):
                    group.create_task(one())
        except ExceptionGroup as errors:
            why, took = errors.exceptions[0], len(self._lanes)
            await self._close()
            raise Unavailable(
                f"{self._target.url} took {took:,} of {self._plan.connections:,} connections: {why}"
            ) from why

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

    async def _tell_often(self, tell: OnProgress) -> None:
        while True:
            await asyncio.sleep(0.2)
            tell(self._measured)

    def _give_up(self) -> None:
        """Who still waits is without answer."""
        sent = {lane.vote: lane.sent for lane in self._lanes if lane.vote is not None}
        for vote, status in enumerate(self._measured.statuses):
            if status == WAITING:
                self._note(vote, NO_ANSWER, sent.get(vote, time.monotonic()))

    async def _close(self) -> None:
        """Close every connection, and let the loop see that they are."""
        self._is_ending = True
        for task in self._opening:
            task.cancel()
        for lane in self._lanes:
            lane.abort()
        await asyncio.sleep(TICK_S)


def requests(
    target: Target, plan: Plan, competitions: Sequence[int], tokens: Sequence[str], choice: Callable[[int], str]
) -> Request:
    """The bytes of each vote, as `curl -F vote=a -H "Authorization: Bearer …"` sends them."""
    boundary = "------------------------6f0a2c4e8b1d3579"
    heads = [
        f"POST /vote/{one} HTTP/1.1\r\nHost: {target.authority}\r\nUser-Agent: vote-load\r\nAccept: */*\r\n".encode()
        for one in competitions
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
