"""Acceptance and recording at once on the same cores: both rates, how far recording lags behind, and whether it grows."""

import bisect
import contextlib
import itertools
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from operator import attrgetter

from bench import pgbench
from bench.acceptance import Generator, Sample
from bench.check import Acknowledged
from bench.figures import percentile, slope
from bench.ground import Ground
from bench.load import STORED, Answers
from bench.parts import Batch, Server, front_door, wait_recorded, worker
from bench.progress import Tell

POINTS = 40  # moments at which the backlog is looked at, afterwards
GROWING = 0.05  # of the acceptance rate: a backlog that grows faster is one that grows
SETTLE = 0.25  # the part of the run at its beginning in which the backlog builds up


@dataclass(frozen=True, slots=True)
class Pace:
    """One round. `growth` is the slope of the backlog as a share of the acceptance rate."""

    accepted: Sample
    recorded_per_second: float
    growth: float
    backlog_at_end: int
    to_recorded_p50_ms: float
    to_recorded_p99_ms: float

    @property
    def is_growing(self) -> bool:
        """Whether recording could not keep up."""
        return self.growth > GROWING


@dataclass(slots=True)
class Rounds:
    """What each round came to."""

    pace: list[Pace]
    two_workers: list[Pace]
    pgbench: list[float]

    def raw(self) -> dict[str, object]:
        """For results.json."""
        return asdict(self)


def measure(ground: Ground, generator: Generator, rounds: int, told: Acknowledged, tell: Tell) -> Rounds:
    """Rounds of both at once, with one worker and with two, each beside a pgbench."""
    done = Rounds([], [], [])
    with front_door(ground) as server:
        for _ in range(rounds):
            for workers, paces in ((1, done.pace), (2, done.two_workers)):
                paces.append(_both(ground, generator, server, told, workers=workers))
                tell(f"together, workers: {workers}, accepted", paces[-1].accepted.per_second)
                tell(f"together, workers: {workers}, recorded", paces[-1].recorded_per_second)
            done.pgbench.append(pgbench.measure(ground, generator.seconds))
            tell("pgbench", done.pgbench[-1])
    return done


def _both(ground: Ground, generator: Generator, server: Server, told: Acknowledged, *, workers: int) -> Pace:
    competition = ground.new_competition()
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(worker(ground)) for _ in range(workers)]
        time.sleep(1)  # workers that have long been running are what is measured, not their start
        answers, figures = generator.send(ground, server, competition)
        told.add(competition, answers)
        batches = sorted(wait_recorded(started, len(answers.stored())), key=attrgetter("at"))
    waits = sorted(_waits_ms(ground, competition, answers, batches))
    inside = sum(batch.ballots for batch in batches if answers.began <= batch.at <= answers.ended)
    backlog = _backlog(answers, batches)
    return Pace(
        accepted=figures,
        recorded_per_second=inside / answers.seconds,
        growth=slope(backlog) / figures.per_second,
        backlog_at_end=int(backlog[-1][1]),
        to_recorded_p50_ms=percentile(waits, 0.50),
        to_recorded_p99_ms=percentile(waits, 0.99),
    )


def _backlog(answers: Answers, batches: list[Batch]) -> list[tuple[float, float]]:
    """(moment, ballots accepted and not yet recorded), once it has had time to build up."""
    pairs = zip(answers.done, answers.status, strict=True)
    accepted = sorted(done for done, status in pairs if status in STORED)
    ends = [batch.at for batch in batches]
    sums = [0, *itertools.accumulate(batch.ballots for batch in batches)]
    start = answers.began + SETTLE * answers.seconds
    moments = [start + (answers.ended - start) * step / POINTS for step in range(POINTS + 1)]
    return [(at, float(bisect.bisect_right(accepted, at) - sums[bisect.bisect_right(ends, at)])) for at in moments]


def _waits_ms(ground: Ground, competition: int, answers: Answers, batches: list[Batch]) -> list[float]:
    """From the moment each voter sent the ballot to the moment its batch was committed."""
    by_shard: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for batch in batches:
        by_shard[batch.shard].append((batch.upto, batch.at))
    sent = dict(zip(answers.voters, answers.sent, strict=True))
    with ground.owner.read() as tx:
        rows = tx.execute("SELECT user_id, shard, position FROM ballots WHERE competition_id = %s", (competition,))
        places = rows.fetchall()
    waits = []
    for voter, shard, position in places:
        upto, at = by_shard[shard][bisect.bisect_left(by_shard[shard], (position, 0.0))]
        assert position <= upto
        waits.append(1000 * (at - sent[voter]))
    return waits
