"""The closed-loop load generator: each keep-alive connection sends its next request when its answer is there (saturation).

It is not the open-loop client of `vote load`, which `bench.stream` uses: at saturation, on the same cores, what the client
takes is missing to the server, so it does as little as it can per request. The bytes are made before the clock starts, and
of an answer it reads the status and the length, without a parser, a queue or a callback per request. It runs in a process of
its own, bounded in requests and in time, and only ever talks to this machine.
"""

import asyncio
import contextlib
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import uvloop

from bench.figures import percentile
from bench.voters import HOST, Crowd, Kind, choice_of, requests

LAST_ANSWERS_S = 10.0  # how long the last answers are waited for
STORED = (200, 202)


class Job(NamedTuple):
    """What to send where. With `again`, voters who are through begin anew: only for a server that does not mind."""

    port: int
    competition: int
    crowd: Crowd
    kind: Kind
    connections: int
    seconds: float
    again: bool = False


@dataclass(slots=True)
class Answers:
    """Every answer of a job: who, when sent, when answered (seconds since 1970), status; 0 when no answer came."""

    first: int
    began: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    voters: "array[int]" = field(default_factory=lambda: array("l"))
    sent: "array[float]" = field(default_factory=lambda: array("d"))
    done: "array[float]" = field(default_factory=lambda: array("d"))
    status: "array[int]" = field(default_factory=lambda: array("h"))

    def add(self, voter: int, sent: float, done: float, status: int) -> None:
        """Note one answer."""
        self.voters.append(voter)
        self.sent.append(sent)
        self.done.append(done)
        self.status.append(status)

    @property
    def seconds(self) -> float:
        """How long the clock ran."""
        return self.ended - self.began

    @property
    def per_second(self) -> float:
        """Good answers while the clock ran, per second."""
        good = sum(status in STORED and done <= self.ended for status, done in zip(self.status, self.done, strict=True))
        return good / self.seconds

    def latency_ms(self, quantile: float) -> float:
        """This quantile of the time from sending to the answer."""
        return 1000 * percentile([done - sent for done, sent in zip(self.done, self.sent, strict=True)], quantile)

    def statuses(self) -> dict[int, int]:
        """How often each status was given."""
        return dict(Counter(self.status))

    def stored(self) -> dict[int, str]:
        """Voter → choice of every ballot that was acknowledged."""
        pairs = zip(self.voters, self.status, strict=True)
        return {voter: choice_of(voter) for voter, status in pairs if status in STORED}

    def in_doubt(self) -> set[int]:
        """Voters who were not told: their ballot may be stored or not."""
        pairs = zip(self.voters, self.status, strict=True)
        return {voter for voter, status in pairs if status == 0 or status >= 500}


def run(job: Job) -> Answers:
    """Do the job. Called in the load generator's process."""
    return send(job, requests(job.crowd, job.kind, job.competition))


def send(job: Job, made: list[bytes]) -> Answers:
    """Send these requests instead of votes."""
    return uvloop.run(_run(job, made))


async def _run(job: Job, made: list[bytes]) -> Answers:
    run_ = _Run(job, made)
    loop = asyncio.get_running_loop()
    lanes = [(await loop.create_connection(lambda: _Lane(run_), HOST, job.port))[1] for _ in range(job.connections)]
    answers, cpu = run_.answers, time.process_time()
    answers.began = time.time()
    run_.deadline = answers.began + job.seconds
    for lane in lanes:
        lane.send_next()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run_.over.wait(), job.seconds + LAST_ANSWERS_S)
    if not answers.done:
        raise RuntimeError("the server answered nothing at all")
    answers.ended = min(time.time(), run_.deadline)
    answers.cpu_s = time.process_time() - cpu
    for lane in lanes:
        lane.close()
    return answers


class _Run:
    """What the lanes share: the requests still to be sent, the deadline, the answers; `over` when nobody waits any more."""

    def __init__(self, job: Job, made: list[bytes]) -> None:
        self._made, self._again = made, job.again
        self._next = self._waiting = 0
        self.answers = Answers(job.crowd.first)
        self.deadline = 0.0
        self.over = asyncio.Event()

    def take(self, now: float) -> tuple[int, bytes] | None:
        """The next voter and request; None when time or voters have run out."""
        if self._next == len(self._made) and self._again:
            self._next = 0
        if now >= self.deadline or self._next == len(self._made):
            return None
        self._next += 1
        self._waiting += 1
        return self.answers.first + self._next - 1, self._made[self._next - 1]

    def note(self, voter: int, sent: float, status: int) -> None:
        """Take in what a voter was told."""
        self.answers.add(voter, sent, time.time(), status)
        self._waiting -= 1
        if self._waiting == 0:
            self.over.set()


class _Lane(asyncio.Protocol):
    """One connection; `_voter` waits for an answer on it, 0 is nobody."""

    def __init__(self, shared: _Run) -> None:
        self._run = shared
        self._transport: asyncio.Transport | None = None
        self._part = b""
        self._sent = 0.0
        self._voter = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        """Send the next request, when there is one."""
        now = time.time()
        taken = self._run.take(now)
        if taken is not None and self._transport is not None:
            self._voter, request = taken
            self._sent = now
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer once it is whole; head and body may come apart."""
        data = self._part + data
        head = data.find(b"\r\n\r\n")
        if head < 0 or len(data) < head + 4 + _length(data, head):
            self._part = data
            return
        self._part = b""
        voter, sent = self._voter, self._sent
        self._voter = 0
        self.send_next()
        self._run.note(voter, sent, int(data[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that hangs up leaves its voter in doubt; the lane stays closed."""
        del exc
        if self._voter:
            self.close()

    def close(self) -> None:
        """End the lane; who still waits is noted as not answered."""
        if self._voter:
            self._run.note(self._voter, self._sent, 0)
            self._voter = 0
        if self._transport is not None:
            self._transport.close()


def _length(data: bytes, head: int) -> int:
    at = data.find(b"content-length: ", 0, head)
    return int(data[at + 16 : data.find(b"\r\n", at)]) if at >= 0 else 0
