"""The real code against the reference model: everything that may happen, in any order, on real servers.

A Hypothesis state machine presses buttons, steps workers one by one, loses answers, kills and empties the log, restores
PostgreSQL; `tests/reference.py` says after each step what was allowed. At the end everything is healed and the promises
must hold. The runs are the same each time; MODEL_EXAMPLES and MODEL_STEPS make them more and longer, MODEL_SEED others.
"""

import asyncio
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, LiteralString

import psycopg
import pytest
import redis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import FLASK_SECRET, JWT_SECRET, PASSWORD_HASH, in_database
from tests.reference import Answer, Books, Cast, Gap, Line, Reference, Status, stored_by
from tests.services import Pair, start_pair
from vote import config
from vote.actions import accounts, closing
from vote.actions import competitions as change
from vote.ballotlog import box as box_module
from vote.ballotlog import keys
from vote.ballotlog.box import BallotBox
from vote.ballotlog.entries import Ballot, Entry, Rules, parse
from vote.ballotlog.log import BallotLog, Pushed, Shard, Word
from vote.casting.endpoint import Casting
from vote.config import Settings
from vote.db import migrate, users
from vote.db.pool import Database
from vote.domain.ballot import shard_of
from vote.domain.person import Person
from vote.edge.envelope import LINE, REQUEST_ID
from vote.edge.limits import Limits
from vote.edge.problems import status_of
from vote.errors import Conflict, LogUnavailable, NotFound, Unavailable, VoteError
from vote.worker import schedule
from vote.worker.drain import drain
from vote.worker.ready import make_ready
from vote.worker.worker import Worker

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "30"))
STEPS = int(os.environ.get("MODEL_STEPS", "50"))
SEED = os.environ.get("MODEL_SEED")

SHARDS = 2
FRESH, BACKUP, PRESENT = "fresh", "backup", "public"  # schemas: a copy of all tables each
MAX_VOTERS, MAX_COMPETITIONS = 12, 4
SLOW_S = 1.0  # on a loaded machine a call may take longer than its deadline allows: then 503 is an honest answer
SHORT_S = 0.05  # deadline of a call whose answer gets lost
LONG_S = 60.0  # deadline of a call whose web process dies
NOBODY = "f" * 40  # an instance that is not running
STATUS = {
    "accepted": 202,
    "changed": 202,
    "again": 200,
    "already": 409,
    "early": 403,
    "closed": 403,
    "cold": 503,
}
HELD_AT = [
    ("read_after", 1),
    ("describe", 2),
    ("describe", 3),
    ("begin_epoch", 1),
    ("push_rules", 1),
    ("push_voters", 1),
    ("make_ready", 1),
]

Ask = tuple[int, int, str]  # index of the competition, index of the voter, choice


QUERIES: tuple[LiteralString, ...] = (
    "SELECT id, shard, seq, competition_id, user_id, choice, receipt FROM ballots",
    "SELECT competition_id, user_id, choice FROM votes",
    "SELECT id, status, rules_version, allow_change, opened_at, closed_at FROM competitions",
    "SELECT o.competition_id, o.key, coalesce(sum(votes), 0)::int FROM options o LEFT JOIN tallies t"
    " ON t.competition_id = o.competition_id AND t.option_key = o.key GROUP BY 1, 2",
    "SELECT competition_id, array_agg(decided_at) FROM decisions GROUP BY 1",
    "SELECT shard, coalesce(epoch, ''), position, recorded FROM log_positions",
    "SELECT id, erased_at IS NOT NULL FROM users",
    "SELECT shard, old_epoch, old_position, new_epoch, noticed_at, decided_at IS NOT NULL FROM log_gaps",
    "SELECT id, competition_id FROM unmatched_ballots",
    "SELECT competition_id, jsonb_object_agg(shard, version) FROM log_markers GROUP BY 1",
)


class HinderedBox(BallotBox):
    """A ballot box whose next call may get lost on the way there (`stuck`), on the way back (`lost`), or never return."""

    def __init__(self, url: str) -> None:
        super().__init__(url, SHARDS)
        self.hindrance: str | None = None
        self.stuck: list[Any] = []
        self.sent = asyncio.Event()

    async def _exchange(self, open_connection: Any, commands: list[Any]) -> list[Any]:
        if self.hindrance in ("stuck", "orphan"):
            self.stuck += commands
            self.sent.set()
            if self.hindrance == "orphan":
                await asyncio.Event().wait()
            raise TimeoutError
        answers = await super()._exchange(open_connection, commands)
        if self.hindrance == "lost":
            raise TimeoutError
        return answers


class Web:
    """One web process: its ballot box and the endpoint behind which it stands, without HTTP."""

    def __init__(self, world: "World") -> None:
        self.box = HinderedBox(world.settings.log_url)
        parts: Any = SimpleNamespace(settings=world.settings, db=world.db, limits=Limits.of(world.settings))
        unused: Any = None
        self._casting = Casting(parts, self.box, unused, unused, unused)

    async def knows(self, competition: int) -> bool:
        """Whether it takes ballots for this competition at all: it has the receipt key."""
        with suppress(NotFound):
            await self._casting.receipt_keys.key_of(competition)
            return True
        return False

    async def press(self, ballot: str, cast: Cast) -> tuple[int, object]:
        """Status and receipt, as a voter is told them."""
        scope = {REQUEST_ID: ballot, LINE: {}}
        try:
            told = await self._casting._cast(scope, cast.key[0], SimpleNamespace(user_id=cast.key[1]), cast.choice)  # type: ignore[arg-type]
        except VoteError as error:
            return status_of(error), None
        return told.status, told.body["receipt"]


class HeldLog(BallotLog):
    """A worker's client of the log that stops in the middle of one call and goes on much later: a zombie's."""

    def __init__(self, url: str) -> None:
        super().__init__(url, SHARDS)
        self.hold: tuple[str, int] = ("", 0)
        self.reached, self.go = threading.Event(), threading.Event()

    def _maybe_hold(self, name: str) -> None:
        at, turn = self.hold
        if at == name:
            self.hold = at, turn - 1
            if turn == 1:
                self.reached.set()
                assert self.go.wait(60)

    def read_after(self, *arguments: Any) -> list[Entry]:
        entries = super().read_after(*arguments)
        self._maybe_hold("read_after")
        return entries

    def describe(self, shard: int) -> Any:
        self._maybe_hold("describe")
        return super().describe(shard)

    def begin_epoch(self, *arguments: Any) -> Word:
        self._maybe_hold("begin_epoch")
        return super().begin_epoch(*arguments)

    def push_rules(self, *arguments: Any, **named: Any) -> Word:
        self._maybe_hold("push_rules")
        return super().push_rules(*arguments, **named)

    def push_voters(self, *arguments: Any) -> Word:
        self._maybe_hold("push_voters")
        return super().push_voters(*arguments)

    def make_ready(self, *arguments: Any) -> Word:
        self._maybe_hold("make_ready")
        return super().make_ready(*arguments)


class SilencedLog(BallotLog):
    """A client whose announcements may get stuck on the way."""

    lost = False

    def __init__(self, url: str) -> None:
        super().__init__(url, SHARDS)
        self.stuck: list[tuple[int, str, str, list[Any]]] = []  # shard, its epoch and instance, the call

    def push_news(self, shard: Shard, rules: Any) -> Any:
        if not self.lost:
            return super().push_news(shard, rules)
        shard = shard._replace(now_ms=shard.now_ms + round(LONG_S * 1000))
        names = [keys.log(shard.number), keys.state(shard.number), keys.rules(shard.number)]
        flat = [value for one in rules for value in (one.competition, one.text(), secrets.token_hex(16))]
        made_for = shard.now_ms, shard.epoch, shard.instance
        call = ["FCALL", "vote_push_rules", 3, *names, *made_for, 0, *flat]
        self.stuck.append((shard.number, shard.epoch, shard.instance, call))
        return Pushed("expired")


class Zombie:
    """A worker in a thread of its own that stops within one step."""

    def __init__(self, world: "World", shard: int, hold: tuple[str, int], *, may_lack_a_tail: bool) -> None:
        self.log, self.error = HeldLog(world.settings.log_url), None
        self.log.hold = hold
        cold = not world.is_ready(shard)

        def run() -> None:
            try:
                if cold:
                    make_ready(world.zombie_db, self.log, shard, may_lack_a_tail=may_lack_a_tail)
                else:
                    drain(world.zombie_db, self.log, shard)
            except Unavailable:
                pass
            except BaseException as error:  # noqa: BLE001 told to the main thread
                self.error = error
            finally:
                self.log.reached.set()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert self.log.reached.wait(60)

    def wake(self) -> None:
        """Let it go on to the end of its step."""
        self.log.go.set()
        self._thread.join(60)
        self.log.close()
        if self.error is not None:
            raise self.error


class World:
    """The real parts, made once. `begin` empties them."""

    def __init__(self, servers: Pair, settings: Settings) -> None:
        self.servers, self.settings = servers, settings
        self.admin = psycopg.connect(in_database(servers.superuser_url, "vote"), autocommit=True)
        self.admin.execute("SET session_replication_role = replica")  # no triggers, no foreign keys: rows are copied
        self._tables = [
            row[0] for row in self.admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        for schema in (FRESH, BACKUP):
            self.admin.execute(f"CREATE SCHEMA {schema}")
            for table in self._tables:
                self.admin.execute(f"CREATE TABLE {schema}.{table} (LIKE {PRESENT}.{table})")
        self.copy(PRESENT, FRESH)
        self.raw = redis.Redis.from_url(servers.redis_url, decode_responses=True)
        self.log = SilencedLog(settings.log_url)
        self.runner = asyncio.Runner()
        self.db = Database(settings.database("web"), size=2, name="vote web")
        self.owner = Database(settings.database("owner"), size=2, name="vote tests")
        self.workers = [Worker.of(settings) for _ in range(2)]
        self.zombie_db = Database(settings.database("worker"), size=1, name="vote zombie")

    def close(self) -> None:
        for one in (self.db, self.owner, self.zombie_db, *self.workers):
            one.close()
        self.runner.close()
        self.log.close()
        self.raw.close()
        self.admin.close()

    def begin(self) -> None:
        """An empty log and a fresh database."""
        self.log.stuck.clear()
        self.raw.flushall()
        self.raw.execute_command("FUNCTION", "FLUSH")
        self.copy(FRESH, PRESENT)
        self.admin.execute(
            "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
            " WHERE seqrelid::regclass::text NOT LIKE '%.%'"
        )

    def copy(self, source: str, target: str) -> None:
        """Make all tables of one schema what they are in another: a backup, or a restore.

        Numbers that were given stay given, as a restore must see to: the log knows people and competitions by them.
        """
        with self.admin.transaction():
            for table in self._tables:
                self.admin.execute(f"DELETE FROM {target}.{table}")
                self.admin.execute(f"INSERT INTO {target}.{table} OVERRIDING SYSTEM VALUE TABLE {source}.{table}")

    def stop_zombie(self) -> None:
        """End its transaction, as IDLE_IN_TRANSACTION_MS does."""
        self.admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'vote zombie'"
        )
        if not self.zombie_db._pool.closed:
            self.zombie_db._pool.drain()  # to find the dead connection by itself would take it a second

    def is_ready(self, shard: int) -> bool:
        return bool(self.raw.hget(keys.state(shard), "ready") == self.raw.info("server")["run_id"])

    def read_books(self) -> Books:
        """All that PostgreSQL says."""
        with self.admin.pipeline():
            cursors = [self.admin.execute(query) for query in QUERIES]
            answers = [cursor.fetchall() for cursor in cursors]
        journal, votes, competitions, counts, decisions, positions, people, gaps, unmatched, markers = answers
        tallies: dict[int, dict[str, int]] = {row[0]: {} for row in competitions}
        for competition, key, count in counts:
            tallies[competition][key] = count
        return Books(
            journal={row[0].hex: Line(row[1], row[2], (row[3], row[4]), row[5], row[6]) for row in journal},
            votes={(row[0], row[1]): row[2] for row in votes},
            tallies=tallies,
            positions={row[0]: (row[1], row[2]) for row in positions},
            recorded=sum(row[3] for row in positions),
            competitions={row[0]: Status(*row[1:]) for row in competitions},
            gaps=[Gap(*row) for row in gaps],
            unmatched={row[0].hex: row[1] for row in unmatched},
            decisions={row[0]: set(row[1]) for row in decisions},
            markers={row[0]: {int(shard): version for shard, version in row[1].items()} for row in markers},
            users={row[0] for row in people},
            erased={row[0] for row in people if row[1]},
        )


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """Give calls of the ballot box another deadline."""
    before, box_module.CALL_BUDGET_S = box_module.CALL_BUDGET_S, seconds
    try:
        yield
    finally:
        box_module.CALL_BUDGET_S = before


competitions_ = st.integers(0, MAX_COMPETITIONS - 1)
voters_ = st.integers(0, MAX_VOTERS - 1)
choices_ = st.sampled_from("ab")
asks_ = st.tuples(competitions_, voters_, choices_)
webs_ = workers_ = st.integers(0, 1)
shards_ = st.integers(0, SHARDS - 1)


class Machine(RuleBasedStateMachine):
    """Everything that may happen."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.reference = world, Reference(SHARDS)
        self.webs: list[Web] = []
        self.workers: list[Worker] = []
        self.people: list[int] = []
        self.competitions: list[int] = []
        self.pressed: list[tuple[int, int, str]] = []
        self.late: list[Any] = []  # calls whose deadline has passed
        self.orphans: list[tuple[list[Any], list[str]]] = []  # calls of dead web processes, and their ballots
        self.zombie: Zombie | None = None
        self.has_backup = False
        self.kills = 0

    @initialize(replicated=st.booleans())
    def begin(self, replicated: bool) -> None:
        """Two web processes, two workers, two competitions, three voters; every shard is ready."""
        world, self.replicated = self.world, replicated
        world.begin()
        self.webs = [Web(world), Web(world)]
        self.workers = world.workers
        for worker in self.workers:
            worker.may_lack_a_tail = replicated
            worker._told.clear()
        with world.owner.transaction(by="tests") as tx:
            roles: tuple[Any, ...] = ("organiser", "admin")
            ids = [
                users.insert(tx, username=role, email=f"{role}@example.com", password_hash=PASSWORD_HASH, role=role)
                for role in roles
            ]
        self.organiser, self.admin = (Person(one, role, role) for one, role in zip(ids, roles, strict=True))
        self.workers[0].prepare()
        self.workers[0].step()
        self.look()
        for _ in range(MAX_VOTERS // 2):
            self.register()
        for allow_change in (False, True):
            self.create(allow_change=allow_change, later=False, lost=False)
        self.back_up()

    # --- people and competitions ---------------------------------------------------------------------------------------
    @precondition(lambda self: len(self.people) < MAX_VOTERS)
    @rule()
    def register(self) -> None:
        name = f"voter-{len(self.people)}-{secrets.token_hex(4)}"
        with self.world.owner.transaction(by="tests") as tx:
            self.people.append(
                users.insert(tx, username=name, email=f"{name}@example.com", password_hash=PASSWORD_HASH, role="voter")
            )

    @precondition(lambda self: len(self.competitions) < MAX_COMPETITIONS)
    @rule(allow_change=st.booleans(), later=st.booleans(), lost=st.booleans())
    def create(self, *, allow_change: bool, later: bool, lost: bool) -> None:
        """A competition, open at once or scheduled."""
        opens_at = datetime.now(UTC) + timedelta(hours=1) if later else None
        with self.announcing(lost):
            made = change.create(
                self.world.owner,
                self.world.log,
                by=self.organiser,
                name="Which stage?",
                options=["River", "Hall"],
                opens_at=opens_at,
                allow_change=allow_change,
            )
        self.competitions.append(made.id)
        for web in self.webs:
            self.world.runner.run(web.knows(made.id))

    @rule(which=competitions_, lost=st.booleans(), verb=st.sampled_from(["open", "close", "close", "extend", "end"]))
    def organise(self, which: int, lost: bool, verb: str) -> None:
        """Open (again), close, extend, or let the clock close it."""
        hours = timedelta(hours=which + 1)
        if verb == "extend":
            self._change_end(which, lost, datetime.now(UTC) + hours if which else None)
        elif verb == "end":
            self._let_it_end(which, lost)
        else:
            act = change.open_voting if verb == "open" else change.close_voting
            with self.announcing(lost), suppress(Conflict, NotFound):
                act(self.world.owner, self.world.log, self.competition(which), by=self.organiser)

    def _let_it_end(self, which: int, lost: bool) -> None:
        ends = datetime.now(UTC) + timedelta(seconds=0.1)
        if self._change_end(which, lost, ends):
            time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.01)

    def _change_end(self, which: int, lost: bool, closes_at: datetime | None) -> bool:
        with self.announcing(lost), suppress(Conflict, NotFound, VoteError):
            fields = {"closes_at": closes_at}
            change.change(
                self.world.owner, self.world.log, self.competition(which), by=self.organiser, if_match=None, **fields
            )
            return True
        return False

    @rule(who=voters_)
    def erase(self, who: int) -> None:
        voter = self.people[who % len(self.people)]
        assert self.reference.books is not None
        if voter in self.world.read_books().users:
            self.reference.asked.add(voter)
            on_disk = accounts.erase(self.world.owner, self.world.log, by=voter)
            self.look()
            assert not on_disk or voter in self.reference.promised, "R10: said to be in the log, and is not"

    @rule(which=competitions_, whole=st.booleans())
    def decide_over_a_gap(self, which: int, whole: bool) -> None:
        """An admin's word, for one competition or for each open gap."""
        db = self.world.owner
        if whole:
            with db.read() as tx:
                gaps = [row[0] for row in tx.execute("SELECT id FROM log_gaps WHERE decided_at IS NULL")]
            for gap in gaps:
                closing.decide_gap(db, gap, by=self.admin, reason="Looked into.")
        else:
            with suppress(Conflict, NotFound):
                closing.finish_over(db, self.competition(which), by=self.admin, reason="It stands.")

    # --- voting ----------------------------------------------------------------------------------------------------------
    @rule(web=webs_, ask=asks_)
    def vote(self, web: int, ask: Ask) -> None:
        self.press(web, [ask])

    @rule(web=webs_, ask=asks_)
    def vote_too(self, web: int, ask: Ask) -> None:
        self.press(web, [ask])

    @rule(web=webs_, ask=asks_, worker=workers_)
    def vote_and_work(self, web: int, ask: Ask, worker: int) -> None:
        """The usual course of things."""
        self.work(worker)
        self.press(web, [ask])

    @rule(web=webs_, asks=st.lists(asks_, min_size=3, max_size=8))
    def everybody_votes(self, web: int, asks: list[Ask]) -> None:
        self.work(0)
        self.press(web, asks)

    @rule(web=webs_, asks=st.lists(asks_, min_size=2, max_size=6))
    def several_vote_at_once(self, web: int, asks: list[Ask]) -> None:
        self.press(web, asks)

    @precondition(lambda self: self.pressed)
    @rule(web=webs_, which=st.integers(0, 9), other=st.booleans())
    def press_again(self, web: int, which: int, other: bool) -> None:
        """The same choice once more, or the other one."""
        competition, who, choice = self.pressed[-1 - which % len(self.pressed)]
        self.press(web, [(competition, who, "ab"["ba".index(choice)] if other else choice)])

    @rule(
        web=webs_,
        at_once=st.booleans(),
        ask=asks_,
        hindrance=st.sampled_from(["lost", "stuck"]),
        then=st.sampled_from(["", "again", "other"]),
    )
    def call_gets_lost(self, web: int, ask: Ask, hindrance: str, then: str, at_once: bool) -> None:
        """The answer does not come back, or the call does not get there; 503 once its deadline has passed."""
        with budget(SHORT_S):
            self.press(web, [ask], hindrance=hindrance)
        self.late += self.webs[web].box.stuck
        self.webs[web].box.stuck.clear()
        if then:
            self.press(web, [(*ask[:2], ask[2] if then == "again" else "ab"["ba".index(ask[2])])])
        if at_once and self.late:
            self.late_call_arrives()

    @precondition(lambda self: self.late)
    @rule()
    def late_call_arrives(self) -> None:
        """R3: after its deadline it does nothing, also when the shard takes ballots."""
        self.work(0)
        self.deliver([self.late.pop(0)])

    @precondition(lambda self: self.world.log.stuck)
    @rule(newest=st.booleans())
    def stuck_announcement_arrives(self, newest: bool) -> None:
        """R7: only for the life of the shard and of the server that it was made for, and only while that is ready."""
        self.look()
        shard, epoch, instance, call = self.world.log.stuck.pop(-1 if newest else 0)
        present = self.reference.shards[shard]
        same = present.ready and epoch == present.epochs[-1] and instance == self.world.raw.info("server")["run_id"]
        before = present.last
        self.deliver([call])
        assert same or self.reference.shards[shard].last == before, "R7: a push for another life was taken"

    @rule(web=webs_, ask=asks_)
    def web_process_dies_with_a_call(self, web: int, ask: Ask) -> None:
        """Nobody is told anything, and the ballot may still land."""
        dying = self.webs[web]
        with budget(LONG_S):
            ballots = self.world.runner.run(self._die(dying, ask))
        self.orphans.append((list(dying.box.stuck), ballots))
        self.webs[web] = Web(self.world)
        for competition in self.competitions:
            self.world.runner.run(self.webs[web].knows(competition))

    async def _die(self, web: Web, ask: Ask) -> list[str]:
        ballots = self._asked([ask])
        web.box.hindrance = "orphan"
        cast = self.reference.ballots[ballots[0]]
        dying = asyncio.create_task(web.press(ballots[0], cast))
        sent = asyncio.create_task(web.box.sent.wait())
        await asyncio.wait({dying, sent}, return_when=asyncio.FIRST_COMPLETED)
        tasks = [dying, sent] + ([web.box._running] if web.box._running else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await web.box._disconnect()
        return ballots

    @precondition(lambda self: self.orphans)
    @rule()
    def call_of_a_dead_process_arrives(self) -> None:
        commands, ballots = self.orphans.pop(0)
        self.reference.may_land = stored_by(self.reference.decide_all(ballots))
        self.deliver(commands)
        self.reference.may_land = set()

    def press(self, web: int, asks: list[Ask], hindrance: str | None = None) -> None:
        """Ballots of one moment through one web process; each answer is held against the reference."""
        self.look()
        reference, process = self.reference, self.webs[web]
        ballots = [
            one
            for one, (competition, _, _) in zip(self._asked(asks), asks, strict=True)
            if self.world.runner.run(process.knows(self.competition(competition)))
        ]
        words = reference.decide_all(ballots)
        stored = stored_by(words)
        reference.may_land = set(stored)
        process.box.hindrance = hindrance
        began = time.monotonic()
        answers = self.world.runner.run(self._press_all(process, ballots))
        slow = time.monotonic() - began > SLOW_S
        process.box.hindrance = None
        self.look()
        reference.may_land = set()
        for (ballot, (word, basis)), (status, receipt) in zip(words.items(), answers, strict=True):
            excused = hindrance is not None or slow
            self._check(ballot, word, status, excused=excused)
            if not excused:
                assert (ballot in reference.landed) == (ballot in stored), f"{word}, but the log says otherwise"
            answer: Answer = "ack" if status in (200, 202) else "503" if status == 503 else "refused"
            reference.tell(ballot, answer, basis if answer == "ack" else None, receipt)

    async def _press_all(self, web: Web, ballots: list[str]) -> list[tuple[int, object]]:
        return await asyncio.gather(*(web.press(one, self.reference.ballots[one]) for one in ballots))

    def _asked(self, asks: list[Ask]) -> list[str]:
        ballots = []
        for competition, who, choice in asks:
            ballot, key = secrets.token_hex(16), (self.competition(competition), self.people[who % len(self.people)])
            self.reference.send(ballot, key, choice)
            ballots.append(ballot)
            self.pressed.append((competition, who, choice))
        return ballots

    def _check(self, ballot: str, word: str, status: int, *, excused: bool) -> None:
        cast = self.reference.ballots[ballot]
        if excused and status == 503:
            return
        expected = self._unknown(cast) if word == "unknown" else STATUS[word]
        assert status == expected, f"{cast}: the log should say {word} ({expected}), told {status}"

    def _unknown(self, cast: Cast) -> int:
        """What a voter is told when the log does not know the competition: as PostgreSQL has it."""
        books = self.reference.books
        assert books is not None
        if books.votes.get(cast.key) == cast.choice:
            return 200
        status = books.competitions.get(cast.key[0])
        if status is None:
            return 404
        return 503 if status.state == "open" else 403

    # --- workers ---------------------------------------------------------------------------------------------------------
    @rule(worker=workers_)
    def work(self, worker: int) -> None:
        """One turn of a worker's loop, its schedule included."""
        one = self.workers[worker]
        one._next_schedule = one._next_push = 0.0
        try:
            one.step()
        except LogUnavailable:
            with suppress(Unavailable):
                one.prepare()

    @rule(worker=workers_)
    def work_too(self, worker: int) -> None:
        self.work(worker)

    @rule(worker=workers_, shard=shards_)
    def drain_one_entry(self, worker: int, shard: int) -> None:
        with pytest.MonkeyPatch.context() as patch, suppress(Unavailable):
            patch.setattr("vote.worker.drain.BATCH_ENTRIES", 1)
            drain(self.workers[worker].db, self.workers[worker].log, shard)

    @rule(worker=workers_, shard=shards_)
    def drain_one_shard(self, worker: int, shard: int) -> None:
        with suppress(Unavailable):
            self.workers[worker].drain(shard)

    @rule(worker=workers_, shard=shards_)
    def one_step_towards_ready(self, worker: int, shard: int) -> None:
        one = self.workers[worker]
        with suppress(Unavailable):
            make_ready(one.db, one.log, shard, may_lack_a_tail=self.replicated)

    @precondition(lambda self: self.zombie is None)
    @rule(shard=shards_, hold=st.sampled_from(HELD_AT))
    def worker_freezes(self, shard: int, hold: tuple[str, int]) -> None:
        """In the middle of a step, holding the row of the shard."""
        self.zombie = Zombie(self.world, shard, hold, may_lack_a_tail=self.replicated)

    @precondition(lambda self: self.zombie is None)
    @rule(worker=workers_, asks=st.lists(asks_, min_size=1, max_size=4), loses_its_lock=st.booleans())
    def frozen_worker_is_overtaken(self, worker: int, asks: list[Ask], loses_its_lock: bool) -> None:
        """It has read a batch, people go on voting, and another worker tries to get on."""
        competition, who, _ = asks[0]
        self.press(0, asks[:1])
        shard = shard_of(self.competition(competition), self.people[who % len(self.people)], SHARDS)
        self.worker_freezes(shard, ("read_after", 1))
        self.press(0, asks[1:])
        if loses_its_lock:
            self.frozen_worker_loses_its_lock()
        self.drain_one_shard(worker, shard)
        self.look()
        self.frozen_worker_wakes()

    @precondition(lambda self: self.zombie is not None)
    @rule()
    def frozen_worker_loses_its_lock(self) -> None:
        """As IDLE_IN_TRANSACTION_MS takes it."""
        self.world.stop_zombie()

    @precondition(lambda self: self.zombie is not None)
    @rule()
    def frozen_worker_wakes(self) -> None:
        zombie, self.zombie = self.zombie, None
        assert zombie is not None
        zombie.wake()

    # --- the log breaks ----------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.kills < 1)  # a start takes as long as ten other steps
    @rule()
    def log_is_killed(self) -> None:
        """And started again on its disk: what it had acknowledged is there."""
        self.kills += 1
        self.world.servers.restart_log()
        self._other_instance()

    @rule(
        what=st.sampled_from(["instance", "wiped", "emptied", "rolled back", "rolled back"]),
        shard=shards_,
        asks=st.lists(asks_, max_size=4),
    )
    def log_breaks(self, what: str, shard: int, asks: list[Ask]) -> None:
        """Another server instance, an empty server, an empty shard, a shard without its last entry; while people vote."""
        self.press(0, asks)
        if what == "wiped":
            self.world.raw.flushall()
            self.world.raw.execute_command("FUNCTION", "FLUSH")
        elif what == "emptied":
            self.world.raw.delete("", *self.world.raw.keys(f"vote:{{{shard}}}:*"))
        elif what == "rolled back":
            self._roll_back(shard)
        for one in range(SHARDS):
            if what == "wiped" or (what == "emptied" and one == shard):
                self.reference.wipe(one)
            elif what == "instance":
                self._cool(one)
                self._forget_instance(one)

    def _roll_back(self, shard: int) -> None:
        """After a failover nobody waited for; or a single server from an older disk, when the entry was recorded."""
        self.look()
        if not self.replicated:
            self.drain_one_shard(0, shard)
            self.look()
        state = self.reference.shards[shard]
        books = self.world.read_books()
        promoted = self.replicated and self._was_ready(shard)
        recorded = bool(state.epochs) and books.positions[shard] == (state.epochs[-1], state.last)
        loses = bool(state.entries) and not state.hurt and (recorded or promoted)
        if loses:
            self._take_last(shard, recorded=recorded)
        self._cool(shard, hurt=loses)
        self._forget_instance(shard)

    def _take_last(self, shard: int, *, recorded: bool) -> None:
        raw, reference = self.world.raw, self.reference
        entry = reference.drop_last(shard, recorded=recorded)
        rows: Any = raw.xrange(keys.log(shard))
        raw.delete(keys.log(shard))
        for stream_id, fields in rows[:-1]:
            raw.xadd(keys.log(shard), fields, id=stream_id)
        raw.hset(keys.state(shard), "last", entry.position - 1)
        if isinstance(entry.content, Ballot):
            key = entry.content.competition, entry.content.voter
            had = reference.shards[shard].stored.get(key)
            self._set(keys.voters(shard, key[0]), key[1], reference.ballots[had].choice if had else None)
        elif isinstance(entry.content, Rules):
            competition = entry.content.competition
            rules = reference.shards[shard].rules.get(competition)
            self._set(keys.rules(shard), competition, rules.text() if rules else None)

    def _set(self, name: str, key: int, value: str | None) -> None:
        if value is None:
            self.world.raw.hdel(name, str(key))
        else:
            self.world.raw.hset(name, str(key), value)

    def _was_ready(self, shard: int) -> bool:
        """Whether the shard was made ready for some instance in its present life."""
        return bool(self.world.raw.hget(keys.state(shard), "ready"))

    def _forget_instance(self, shard: int) -> None:
        if self._was_ready(shard):
            self.world.raw.hset(keys.state(shard), "ready", NOBODY)

    def _cool(self, shard: int, *, hurt: bool = False) -> None:
        self.reference.cool(shard, hurt=hurt, promoted=self.replicated and self._was_ready(shard))

    def _other_instance(self) -> None:
        for shard in range(SHARDS):
            self._cool(shard)
        for web in self.webs:
            self.world.runner.run(web.box._disconnect())
        for log in (self.world.log, *(worker.log for worker in self.workers)):
            with suppress(LogUnavailable):
                log.describe(0)  # the first call finds the dead connection

    # --- PostgreSQL: backup, trim, restore -----------------------------------------------------------------------------
    @rule()
    def back_up(self) -> None:
        """A backup that was verified."""
        self.look()
        self.world.copy(PRESENT, BACKUP)
        self.has_backup = True
        self.reference.backup = self.world.read_books()

    @precondition(lambda self: self.has_backup)
    @rule(shard=shards_)
    def trim(self, shard: int) -> None:
        """R9: strictly below the backup."""
        self.look()
        backup, state = self.reference.backup, self.reference.shards[shard]
        assert backup is not None
        epoch, position = backup.positions[shard]
        if state.ready and epoch == state.epochs[-1]:
            with suppress(LogUnavailable):
                if self.world.log.trim(self.world.log.describe(shard), position) == "ok":
                    self.reference.trim(shard, position)

    @precondition(lambda self: self.has_backup)
    @rule(asks=st.lists(asks_, max_size=4))
    def restore(self, asks: list[Ask]) -> None:
        self.press(0, asks)
        self.look()
        self.world.stop_zombie()
        self.world.copy(BACKUP, PRESENT)
        assert self.reference.backup is not None
        self.reference.restore(self.reference.backup)

    # --- what must always hold ---------------------------------------------------------------------------------------------
    @invariant()
    def look(self) -> None:
        """Show the reference the log and the books."""
        reference = self.reference
        reference.see_books(self.world.read_books())
        instance = self.world.raw.info("server")["run_id"]
        for shard in range(SHARDS):
            rows: Any = self.world.raw.xrange(keys.log(shard))
            epoch, ready = self.world.raw.hmget(keys.state(shard), "epoch", "ready")
            entries = [parse(stream_id, fields["e"]) for stream_id, fields in rows]
            reference.see(shard, epoch or "", ready == instance, entries)
        reference.broken_always()

    def teardown(self) -> None:
        """Heal everything, drain, and look whether the promises were kept."""
        try:
            if self.zombie is not None:
                self.frozen_worker_wakes()
            if self.competitions and sys.exc_info()[0] is None:
                self.settle()
        finally:
            for web in self.webs:
                self.world.runner.run(web.box.close())

    def settle(self) -> None:
        """Nothing is under way any more, all is healed: what was promised is there, and everybody can still ask."""
        while self.late:
            self.late_call_arrives()
        while self.world.log.stuck:
            self.stuck_announcement_arrives(False)
        while self.orphans:
            self.call_of_a_dead_process_arrives()
        self.heal()
        self.reference.broken_quiet(self.world.read_books())
        for competition, who, choice in dict.fromkeys(self.pressed[-6:]):
            self.press(0, [(competition, who, choice)])

    def heal(self) -> None:
        """All parts run and nobody breaks anything; an admin decides what waits for a word."""
        for turn in range(6):
            self.work(turn % 2)
            self.look()
        for which in range(len(self.competitions)):
            self.decide_over_a_gap(which, False)
        for turn in range(2):
            self.work(turn % 2)
            self.look()

    # --- help --------------------------------------------------------------------------------------------------------------
    def competition(self, which: int) -> int:
        return self.competitions[which % len(self.competitions)]

    def deliver(self, commands: list[Any]) -> None:
        """A call that was on the way arrives."""
        for command in commands:
            with suppress(redis.ResponseError):
                self._send(command)
        self.look()

    def _send(self, command: Any) -> None:
        """A call of the ballot box is bytes, as it was sent; one of the client a list of words."""
        if not isinstance(command, bytes):
            self.world.raw.execute_command(*command)
            return
        pool: Any = self.world.raw.connection_pool
        connection = pool.get_connection()
        try:
            connection.send_packed_command([command])
            connection.read_response()
        finally:
            pool.release(connection)

    @contextmanager
    def announcing(self, lost: bool) -> Iterator[None]:
        """What an action tells the shards may get lost."""
        self.world.log.lost = lost
        try:
            yield
        finally:
            self.world.log.lost = False


@pytest.fixture
def world(services: Any, tmp_path: Path) -> Iterator[World]:
    """Servers of its own: this PostgreSQL is never killed, so it need not wait for its disk."""
    pair = start_pair(services, tmp_path, durable=False)
    migrate.upgrade(pair.owner_url)
    environment = {
        "FLASK_SECRET_KEY": FLASK_SECRET,
        "JWT_SECRET": JWT_SECRET,
        "DATABASE_URL": pair.owner_url,
        "REDIS_URL": pair.redis_url,
        "VOTE_HOME": str(tmp_path / "home"),
        "VOTE_SHARDS": str(SHARDS),
    }
    one = World(pair, config.load(environment))
    yield one
    one.close()
    pair.stop()


def test_the_code_keeps_what_the_model_promises(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "REPEAT_ERASURE_S", 0)
    run: Callable[..., None] = run_state_machine_as_test
    if SEED is not None:
        run = seed(int(SEED))(run)
    run(
        lambda: Machine(world),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=SEED is None,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
