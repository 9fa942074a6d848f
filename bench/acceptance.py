"""Accepted votes per second through the front door, beside the bare app and pgbench; the worker is stopped."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

from bench import load, pgbench
from bench.check import Acknowledged
from bench.ground import Ground
from bench.load import Answers, Job
from bench.parts import Server, bare_app, front_door
from bench.processes import cpu_seconds
from bench.progress import Tell
from bench.voters import Crowd, Kind

AGAIN = 20_000  # requests that are made for a server that does not mind who sends them twice


@dataclass(frozen=True, slots=True)
class Sample:
    """One job's figures. `server_us`: processor time of web processes (and ballot log) per answer; `load_us`: ours."""

    per_second: float
    p50_ms: float
    p99_ms: float
    statuses: dict[int, int]
    server_us: float
    load_us: float
    load_core: float


@dataclass(slots=True)
class Rounds:
    """What each round came to."""

    bearer: list[Sample]
    session: list[Sample]
    bare: list[Sample]
    pgbench: list[float]

    def raw(self) -> dict[str, object]:
        """For results.json."""
        return asdict(self)


@dataclass(frozen=True)
class Generator:
    """The load generator's process, how many connections it holds and for how long, and who votes in each job: people who
    have not voted in this run, for an account that votes often is counted by the limit on votes.
    """

    pool: ProcessPoolExecutor
    connections: int
    seconds: float
    crowds: Iterator[Crowd]

    def send(
        self, ground: Ground, server: Server, competition: int, kind: Kind = "bearer", *, again: bool = False
    ) -> tuple[Answers, Sample]:
        """Run one job."""
        crowd = ground.crowd._replace(size=AGAIN) if again else next(self.crowds)
        job = Job(server.port, competition, crowd, kind, self.connections, self.seconds, again)
        before = cpu_seconds(*server.pids)
        answers = self.pool.submit(load.run, job).result()
        return answers, sample(answers, cpu_seconds(*server.pids) - before)


def sample(answers: Answers, server_s: float) -> Sample:
    """The figures of a job."""
    count = len(answers.done)
    return Sample(
        per_second=answers.per_second,
        p50_ms=answers.latency_ms(0.50),
        p99_ms=answers.latency_ms(0.99),
        statuses=answers.statuses(),
        server_us=1e6 * server_s / count,
        load_us=1e6 * answers.cpu_s / count,
        load_core=answers.cpu_s / answers.seconds,
    )


def measure(ground: Ground, generator: Generator, rounds: int, told: Acknowledged, tell: Tell) -> Rounds:
    """Each round one after the other, every second round in the other order."""
    done = Rounds([], [], [], [])

    def votes(server: Server, kind: Kind, into: list[Sample]) -> None:
        competition = ground.new_competition()
        answers, figures = generator.send(ground, server, competition, kind)
        told.add(competition, answers)
        into.append(figures)
        tell(f"accepted ({kind})", figures.per_second)

    def bare(server: Server) -> None:
        done.bare.append(generator.send(ground, server, 1, again=True)[1])
        tell("bare ASGI", done.bare[-1].per_second)

    def rows() -> None:
        done.pgbench.append(pgbench.measure(ground, generator.seconds))
        tell("pgbench", done.pgbench[-1])

    with front_door(ground) as ours, bare_app(ground) as theirs:
        for number in range(rounds):
            steps = [
                lambda: votes(ours, "bearer", done.bearer),
                lambda: bare(theirs),
                lambda: votes(ours, "session", done.session),
                rows,
            ]
            for step in steps if number % 2 == 0 else reversed(steps):
                step()
    return done
