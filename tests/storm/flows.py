"""Connections between two parts that lead nowhere any more, without a word: one way after the other, while people vote.

A system of its own, with a proxy on each way (`tests/flows.py`). Only counts decide: all that was accepted is recorded,
nobody waits for ever, and recording goes on by itself after each. The times are printed.
"""

import contextlib
import time
from pathlib import Path
from typing import NamedTuple

from tests import flows
from tests.casting import installation_of
from tests.conftest import environment_of
from tests.flows import FLOWS, People, Pressed
from tests.proxy import Proxy
from tests.servers import start_pair
from tests.stack import Stack, wait_until
from tests.synthetic_voters import make_voters
from vote import config
from vote.actions import competitions
from vote.ballotlog.log import BallotLog
from vote.db import migrate, votes
from vote.db.pool import Database
from vote.domain.person import Person
from vote.ops.embedded.programs import ServerSource

VOTERS, AT_ONCE = 8_000, 1_000  # more than press in all the time this may take; made by so many
GIVEN_UP_S = 60.0  # recording that has not gone on by then does not go on by itself


class HalfOpen(NamedTuple):
    """What became of the presses, and after how long recording went on by itself for each flow; None: it did not."""

    went_on_s: dict[str, float | None]
    accepted: int
    lost: int
    unanswered: int

    @property
    def is_clean(self) -> bool:
        """Nothing is lost, everybody was answered, and recording went on by itself each time."""
        return not self.lost and not self.unanswered and self.accepted > 0 and None not in self.went_on_s.values()

    def line(self) -> str:
        """The figures in one line."""
        times = ", ".join(
            f"{flow} {'NEVER' if took is None else f'{took:.1f} s'}" for flow, took in self.went_on_s.items()
        )
        return (
            f"half-open flows: {self.accepted:,} accepted, {self.lost} lost, {self.unanswered} unanswered;"
            f" recorded again by itself after: {times}"
        )


def run(server_source: ServerSource, folder: Path) -> HalfOpen:
    """Silence each flow in turn. Everything it starts is ended."""
    pair = start_pair(server_source, folder / "servers", durable=True)
    try:
        migrate.upgrade(pair.owner_url)
        environment = environment_of(pair.owner_url, pair.redis_url, folder)
        settings = config.load(environment)
        with (
            contextlib.closing(Database(settings.database("owner"), size=2, name="storm")) as owner,
            contextlib.closing(BallotLog(settings.log_url, settings.vote_shards, installation_of(settings))) as log,
            flows.proxied(environment, folder / "stack") as (stack, ways),
        ):
            return _run(stack, ways, owner, log)
    finally:
        pair.stop()


def _run(stack: Stack, ways: dict[str, Proxy], owner: Database, log: BallotLog) -> HalfOpen:
    voters = [voter for _ in range(VOTERS // AT_ONCE) for voter in make_voters(owner, AT_ONCE)]
    by = Person(voters[0], "storm", "admin")
    competition = competitions.create(owner, log, name="Storm", options=["A", "B"], by=by).id
    people = People(stack, competition, voters)
    people.start()
    wait_until(lambda: people.accepted_since(0), what="people vote")
    took = {flow: _silence(ways[flow], people, owner, competition) for flow in FLOWS}
    pressed = people.finish()
    accepted = {one.voter for one in pressed if one.status == 202}
    with contextlib.suppress(AssertionError):
        wait_until(lambda: accepted <= _recorded(owner, competition), within=GIVEN_UP_S)
    lost = accepted - _recorded(owner, competition)
    return HalfOpen(took, len(accepted), len(lost), sum(_is_unanswered(one) for one in pressed))


def _silence(way: Proxy, people: People, owner: Database, competition: int) -> float | None:
    """Seconds until something that was accepted since then is recorded."""
    silenced = time.monotonic()
    way.silence_open()
    try:
        wait_until(lambda: set(people.accepted_since(silenced)) & _recorded(owner, competition), within=GIVEN_UP_S)
    except AssertionError:
        return None
    return time.monotonic() - silenced


def _recorded(owner: Database, competition: int) -> set[int]:
    with owner.read() as tx:
        return {voter for chunk in votes.all_choices(tx, competition) for voter in chunk}


def _is_unanswered(one: Pressed) -> bool:
    return one.status not in (202, 503)
