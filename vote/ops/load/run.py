"""Run one load: create accounts and competitions, vote, wait, count, then remove what was created."""

import asyncio
import contextlib
import gc
import resource
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import uvloop

from vote.config import Settings
from vote.domain.person import Role
from vote.errors import ConfigError, Unavailable
from vote.ops.load import measurements, provisioning, target, verdict
from vote.ops.load.client import TICK_S, Client, HttpAnswer, pace
from vote.ops.load.measurements import Histogram, Measured, Steps
from vote.ops.load.plan import Plan
from vote.ops.load.provisioning import Voter
from vote.ops.load.target import Api, Target, vote_request
from vote.ops.load.verdict import Row, SentVote, Thresholds, Verdict
from vote.ops.progress import Bar

LAST_ANSWERS_S = 30.0  # how long to wait for the last answers; votes without one then count as unanswered
PROGRESS_EVERY_S = 0.2
FILES_BESIDE = 64  # open files other than the load's connections


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to run. `settings` are the deployment's, or None; `token` is an organiser's; without `competition`, competitions
    are created. `wait_s`: seconds for every accepted ballot to be recorded. Without settings it takes `register`, and a
    token or a competition.
    """

    plan: Plan
    target: Target
    limits: Thresholds
    settings: Settings | None = None
    register: bool = False
    token: str | None = None
    competition: int | None = None
    keep: bool = False
    wait_s: float = 60.0
    quiet: bool = False


@dataclass(frozen=True)
class Result:
    """The result of a load. `database` and `exchanges` are None where they could not be measured."""

    order: Order
    began: datetime
    competitions: tuple[int, ...]
    measured: Measured
    database: Histogram | None
    exchanges: Steps | None
    verdict: Verdict
    rows: tuple[Row, ...]

    @property
    def passes(self) -> bool:
        """Return whether every limit is met."""
        return all(row.is_met for row in self.rows)


def run(order: Order) -> Result:
    """Run the load. Raises ConfigError, NotAllowed and the like before a vote is sent; later problems are in the result."""
    ready = target.ask(order.target, "GET", "/ready")
    if ready.status != 200:
        raise Unavailable(f"{order.target.url} is not ready for votes. {ready.detail}")
    prefix, began, plan = f"load-{secrets.token_hex(4)}", datetime.now(UTC), order.plan
    with contextlib.ExitStack() as held:
        api = held.enter_context(contextlib.closing(Api(order.target, _organisers_token(order, prefix, held))))
        voters = _voters(order, prefix, held)
        ids, keys = _competitions(order, api, prefix, held)
        before = measurements.read_exchanges(api)
        measured, database = _vote(order, ids, voters, keys)
        if order.competition is None:
            settled = provisioning.close_and_settle(api, ids, within=order.wait_s)
        else:
            settled = provisioning.settle(api, order.competition, measured.accepted, within=order.wait_s)
        exchanges = measurements.exchanges_between(before, measurements.read_exchanges(api))
        if order.settings is None or order.register:
            recorded = verdict.ask_voters(api, order.target, voters, ids, quiet=order.quiet)
        else:
            recorded = verdict.read_recorded(api, order.settings, ids)
        cast = [
            SentVote(ids[plan.competition(vote)], voters[plan.user(vote)].id, keys[vote % len(keys)], status)
            for vote, status in enumerate(measured.statuses)
        ]
        judged = verdict.judge(cast, recorded, settled=settled)
    rows = verdict.limits(order.limits, measured, database, exchanges, judged)
    return Result(order, began, tuple(ids), measured, database, exchanges, judged, tuple(rows))


def _organisers_token(order: Order, prefix: str, held: contextlib.ExitStack) -> str | None:
    """Return the given token, or that of an organiser added to the database; None where no competition is created."""
    if order.token is not None or order.competition is not None:
        return order.token
    return _prepared(order, f"{prefix}-organiser", 1, "organiser", held)[0].token


def _voters(order: Order, prefix: str, held: contextlib.ExitStack) -> list[Voter]:
    if not order.register:
        return _prepared(order, prefix, order.plan.users, "voter", held)
    return held.enter_context(
        provisioning.registered(order.target, prefix, order.plan.users, keep=order.keep, quiet=order.quiet)
    )


def _prepared(order: Order, prefix: str, count: int, role: Role, held: contextlib.ExitStack) -> list[Voter]:
    """Raises NotAllowed when the target does not know what is in the database."""
    if order.settings is None:
        raise ConfigError("The deployment's settings (DATABASE_URL, JWT_SECRET) are not set here: use --register.")
    voters = held.enter_context(
        provisioning.prepared(order.settings, prefix, count, role=role, keep=order.keep, quiet=order.quiet)
    )
    provisioning.check_known(order.target, voters[0])
    return voters


def _competitions(order: Order, api: Api, prefix: str, held: contextlib.ExitStack) -> tuple[list[int], tuple[str, ...]]:
    """Return the ids of the competitions to vote in, and the keys of their options."""
    if order.competition is not None:
        return [order.competition], provisioning.options_of(api, order.competition)
    name = f"Load test {prefix}"
    created = provisioning.new_competitions(api, name, order.plan.competitions, keep=order.keep)
    return held.enter_context(created), provisioning.KEYS


def _vote(
    order: Order, ids: Sequence[int], voters: Sequence[Voter], keys: Sequence[str]
) -> tuple[Measured, Histogram | None]:
    plan, latest = order.plan, list[Measured]()

    def request(vote: int) -> bytes:
        voter, competition = voters[plan.user(vote)], ids[plan.competition(vote)]
        return vote_request(order.target, competition, voter.token, keys[vote % len(keys)])

    def show(done: int) -> str:
        return f"{done:,} votes answered, p99 {latest[0].latency.percentile_ms(0.99):,.0f} ms"

    with contextlib.ExitStack() as held:
        database = None
        if order.settings is not None and not order.register:
            database = held.enter_context(measurements.probe_database(order.settings, ids))
        bar = held.enter_context(Bar("Voting", plan.votes, describe=show, quiet=order.quiet))

        def report(measured: Measured) -> None:
            latest[:] = [measured]
            bar.reach(measured.answered)

        return send_votes(plan, order.target, request, report), database


def send_votes(
    plan: Plan, aim: Target, request: Callable[[int], bytes], on_progress: Callable[[Measured], None]
) -> Measured:
    """Send the votes over connections opened beforehand, and return the measurements. `request` returns a vote's bytes;
    `on_progress` is called repeatedly.

    Raises Unavailable when the connections cannot be opened at the start, ConfigError when this process may not open so
    many.
    """
    _allow_files(plan.connections + FILES_BESIDE)
    return uvloop.run(_send_votes(plan, aim, request, on_progress))


async def _send_votes(
    plan: Plan, aim: Target, request: Callable[[int], bytes], on_progress: Callable[[Measured], None]
) -> Measured:
    measured = Measured(plan)

    def note(vote: int, due: float, answer: HttpAnswer) -> None:
        measured.note(vote, answer.status, due=due, sent=answer.sent, now=time.monotonic())

    async def report() -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            on_progress(measured)

    async with Client(aim, plan.connections) as client:
        await client.open_all()
        reporting = asyncio.create_task(report())
        gc.collect()
        gc.freeze()  # a collection during the load would be measured as the service's latency
        began, cpu = time.monotonic(), time.process_time()
        async for vote, due in pace(plan.votes, plan.rate):
            measured.late_s = max(measured.late_s, time.monotonic() - due - TICK_S)
            client.send(request(vote), partial(note, vote, due))
        await client.drain(LAST_ANSWERS_S)
        measured.cpu_s = time.process_time() - cpu
        measured.took_s = time.monotonic() - began
        reporting.cancel()
        gc.unfreeze()
    measured.sent_again = client.sent_again
    on_progress(measured)
    return measured


def _allow_files(count: int) -> None:
    """Raise this process's limit on open files; many systems start with 1,024. Raises ConfigError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < count:
        raise ConfigError(f"This system allows {hard:,} open files, but {count:,} are needed. Use fewer --connections.")
    if resource.RLIM_INFINITY != soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
