"""Run one load: create accounts and competitions, vote, wait, count, then remove what was created."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vote.config import Settings
from vote.errors import ConfigError, Unavailable
from vote.ops.load import competitions, exchanges, limits, probe, reconcile, verdict, voter_accounts
from vote.ops.load.api import Api
from vote.ops.load.exchanges import Steps
from vote.ops.load.generator import requests, send_votes
from vote.ops.load.histogram import Histogram
from vote.ops.load.limits import Row, Thresholds
from vote.ops.load.measurements import Measured
from vote.ops.load.plan import Plan
from vote.ops.load.reconcile import RecordedVotes
from vote.ops.load.target import Target
from vote.ops.load.verdict import SentVote, Verdict
from vote.ops.load.voter_accounts import Voter
from vote.ops.progress import Bar


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to run. `settings` are the deployment's, or None; `token` is an organiser's; without `competition`, competitions
    are created. `wait_s`: seconds for every accepted ballot to be recorded.
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
    """The result of a load."""

    order: Order
    began: datetime
    competitions: tuple[int, ...]
    measured: Measured
    database: Histogram | None
    asked: Steps | None
    verdict: Verdict
    rows: tuple[Row, ...]

    @property
    def passes(self) -> bool:
        """Return whether every limit is met."""
        return limits.all_met(self.rows)


def run(order: Order) -> Result:
    """Run the load. Raises ConfigError, NotAllowed and the like before a vote is sent; later problems are in the result."""
    _check_ready(order)
    prefix, began = f"load-{secrets.token_hex(4)}", datetime.now(UTC)
    with contextlib.ExitStack() as held:
        api = held.enter_context(_organising(order, prefix))
        voters = held.enter_context(_voters(order, prefix))
        if not order.register:
            voter_accounts.check_known(order.target, voters[0])
        ids, keys = held.enter_context(_competitions(order, api, prefix))

        def choice(vote: int) -> str:
            return keys[vote % len(keys)]

        before = exchanges.read(api)
        measured, database = _send(order, ids, voters, choice)
        cast = [
            SentVote(ids[order.plan.competition(vote)], voters[order.plan.user(vote)].id, choice(vote), status)
            for vote, status in enumerate(measured.statuses)
        ]
        settled = _settle(order, api, ids, measured.accepted)
        asked = exchanges.between(before, exchanges.read(api))
        judged = verdict.judge(cast, _recorded_votes(order, api, voters, ids), settled=settled)
    rows = limits.rows(order.limits, measured, database, asked, judged)
    return Result(order, began, tuple(ids), measured, database, asked, judged, tuple(rows))


def _check_ready(order: Order) -> None:
    with contextlib.closing(Api(order.target)) as api:
        reply = api.ask("GET", "/ready")
    if reply.status != 200:
        raise Unavailable(f"{order.target.url} is not ready for votes. {reply.detail}")


@contextlib.contextmanager
def _organising(order: Order, prefix: str) -> Iterator[Api]:
    """Yield a client that may create competitions: with the given token, or with an organiser added to the database."""
    with contextlib.ExitStack() as held:
        token = order.token
        if token is None and order.competition is None:
            if order.settings is None:
                raise ConfigError(
                    "Creating competitions needs an organiser's token: pass --token-file, or name a --competition."
                )
            name = f"{prefix}-organiser"
            organiser = voter_accounts.prepared(
                order.settings, name, 1, _step(order), role="organiser", keep=order.keep
            )
            voter = held.enter_context(organiser)[0]
            voter_accounts.check_known(order.target, voter)
            token = voter.token
        yield held.enter_context(contextlib.closing(Api(order.target, token)))


def _voters(order: Order, prefix: str) -> contextlib.AbstractContextManager[list[Voter]]:
    step, count = _step(order), order.plan.users
    if order.register:
        return voter_accounts.registered(order.target, prefix, count, step, keep=order.keep)
    if order.settings is None:
        raise ConfigError("The deployment's settings (DATABASE_URL, JWT_SECRET) are not set here: use --register.")
    return voter_accounts.prepared(order.settings, prefix, count, step, keep=order.keep)


@contextlib.contextmanager
def _competitions(order: Order, api: Api, prefix: str) -> Iterator[tuple[list[int], tuple[str, ...]]]:
    if order.competition is None:
        with competitions.made(api, f"Load test {prefix}", order.plan.competitions, keep=order.keep) as ids:
            yield ids, competitions.KEYS
        return
    yield [order.competition], competitions.given(api, order.competition)


def _send(
    order: Order, ids: Sequence[int], voters: Sequence[Voter], choice: Callable[[int], str]
) -> tuple[Measured, Histogram | None]:
    tokens = [voter.token for voter in voters]
    request = requests(order.target, order.plan, ids, tokens, choice)
    with contextlib.ExitStack() as held:
        can_ask = order.settings is not None and not order.register
        database = held.enter_context(probe.asking(order.settings, ids)) if can_ask and order.settings else None
        latest: list[Measured] = []
        bar = held.enter_context(
            Bar("Voting", order.plan.votes, describe=lambda n: _progress_text(n, latest), quiet=order.quiet)
        )

        def report(measured: Measured) -> None:
            latest[:] = [measured]
            bar.reach(measured.answered)

        return send_votes(order.plan, order.target, request, report), database


def _progress_text(done: int, latest: Sequence[Measured]) -> str:
    return f"{done:,} votes answered, p99 {latest[0].latency.percentile_ms(0.99):,.0f} ms"


def _settle(order: Order, api: Api, ids: Sequence[int], accepted: int) -> bool:
    if order.competition is None:
        return competitions.settle_own(api, ids, within=order.wait_s)
    return competitions.settle_given(api, order.competition, accepted, within=order.wait_s)


def _recorded_votes(order: Order, api: Api, voters: Sequence[Voter], ids: Sequence[int]) -> RecordedVotes:
    if order.settings is not None and not order.register:
        return reconcile.read(api, order.settings, ids)
    with _step(order)("Asking every voter", len(voters)) as done:
        return reconcile.ask(api, order.target, voters, ids, done)


def _step(order: Order) -> voter_accounts.ProgressStep:
    @contextlib.contextmanager
    def step(label: str, total: int) -> Iterator[Callable[[int], None]]:
        with Bar(label, total, describe=lambda n: f"{n:,}", quiet=order.quiet) as bar:
            yield bar.add

    return step
