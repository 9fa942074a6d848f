"""A standby that had stopped hearing is promoted while people vote: nobody becomes somebody else, nothing is lost unseen.

People and competitions that only the old primary knew are gone; their ballots must lie in `unmatched_ballots`. Everybody
else is judged as in any storm. On a `vote up` and databases of its own.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psycopg

from tests.stack import Stack
from tests.storm import verdict
from tests.storm.chaos import heal_by
from tests.storm.people import Crowd, Ticket
from tests.storm.recorder import Recorder
from tests.storm.verdict import Verdict
from tests.two_databases import TwoDatabases, two_databases
from vote.auth import create_jwt_token
from vote.db import synthetic_voters

SECRETS = {name: f"storm-{name}-7fQ2xK9mV4rT1nB8wZ6c" for name in ("JWT_SECRET", "FLASK_SECRET_KEY")}
ERRANDS = 600  # of each kind: known to the standby, lost, and new afterwards
SECONDS = 12.0
WELL_WITHIN_S = 120.0

Prepare = Callable[[str, int], list[Ticket]]


class Running(Protocol):
    """A `vote up`."""

    url: str

    def is_ready(self) -> bool: ...
    def is_drained(self) -> bool: ...
    def stop(self) -> None: ...


class Facts(NamedTuple):
    """What it came to."""

    people: int
    changed: list[str]  # who is logged in as somebody else
    unseen: list[str]  # acknowledged ballots of lost people that are not kept aside
    aside: int
    found: Verdict

    @property
    def is_clean(self) -> bool:
        """Nobody is mistaken for anybody, and every acknowledged ballot counts or is kept aside."""
        return not self.changed and not self.unseen and self.found.is_clean

    def line(self) -> str:
        """The verdict in one line."""
        return (
            f"standby promoted without the tail: {self.people:,} people, identities changed {len(self.changed)}, "
            f"{self.aside:,} ballots kept aside, lost unseen {len(self.unseen)}; {self.found.line()}"
        )


def storm(folder: Path, seed: int, *, start: Callable[..., Running], prepare: Prepare) -> Facts:
    """Run it. `start(folder, **settings)` starts a `vote up`, `prepare(url, errands)` makes competitions and voters."""
    folder.mkdir()
    with two_databases("embedded", folder / "databases") as databases:
        settings = {**SECRETS, "DATABASE_URL": databases.url, "REDIS_URL": databases.pair.redis_url}
        running = start(folder, **settings)
        recorder = Recorder(folder / "attempts.jsonl")
        try:
            heal_by(time.monotonic() + WELL_WITHIN_S, running.is_ready)
            return _run(databases, running, recorder, random.Random(seed), prepare)
        finally:
            recorder.close()
            running.stop()


def _run(databases: TwoDatabases, running: Running, recorder: Recorder, dice: random.Random, prepare: Prepare) -> Facts:
    known = prepare(databases.url, ERRANDS)
    heal_by(time.monotonic() + WELL_WITHIN_S, running.is_drained)
    databases.wait_until_equal()
    databases.standby.stop_hearing()
    competitions = sorted({(one.competition, one.may_change) for one in known})
    lost = [*prepare(databases.url, ERRANDS // 2), *_voters(databases, "lost", competitions)]
    pressing = [*known, *lost]
    dice.shuffle(pressing)
    with ThreadPoolExecutor(1) as background:
        crowd = Crowd(running.url, SECRETS["JWT_SECRET"], recorder, dice)
        done = background.submit(asyncio.run, crowd.run(pressing, seconds=SECONDS))
        time.sleep(SECONDS / 2)  # it happens in the middle
        databases.fail_over()
        new = _voters(databases, "new", competitions)
        done.result()
    heal_by(time.monotonic() + WELL_WITHIN_S, running.is_ready)
    asyncio.run(Crowd(running.url, SECRETS["JWT_SECRET"], recorder, dice).run(new, seconds=SECONDS / 2))
    heal_by(time.monotonic() + WELL_WITHIN_S, running.is_drained)
    return _judge(databases, running, recorder, [*known, *new], lost)


def _voters(databases: TwoDatabases, name: str, competitions: Sequence[tuple[int, bool]]) -> list[Ticket]:
    with psycopg.connect(databases.url) as connection:
        voters = synthetic_voters.insert(connection, prefix=name, count=ERRANDS // len(competitions))
    return [Ticket(competition, voter, may_change) for voter in voters for competition, may_change in competitions]


def _judge(
    databases: TwoDatabases, running: Running, recorder: Recorder, there: list[Ticket], lost: list[Ticket]
) -> Facts:
    people = {one.voter for one in (*there, *lost)}
    changed = [f"{one} is {me}" for one in people if (me := _logged_in_as(running, one)) not in (one, None)]
    aside = {(row[0], row[1]) for row in databases.say("SELECT competition_id, user_id FROM unmatched_ballots")}
    told = {(one.competition, one.voter) for one in recorder.read() if one.outcome == "ok"}
    unseen = [str(key) for key in {(one.competition, one.voter) for one in lost} & told - aside]
    books = verdict.read_books(databases.url)
    found = verdict.judge(recorder.read(), there, books)
    strangers = books.votes.keys() - {(one.competition, one.voter) for one in there}
    found.phantom.extend(f"{key}: a vote of nobody who pressed" for key in strangers)
    return Facts(len(people), changed, unseen, books.unmatched, found)


def _logged_in_as(running: Any, person: int) -> int | None:
    """Whom the token of this person belongs to; nobody where it is refused."""
    token = create_jwt_token(person, secret=SECRETS["JWT_SECRET"])
    answer = Stack.request(running, "GET", "/api/me", token=token)
    assert answer.status in (200, 401), answer.body
    return int(answer.json["id"]) if answer.status == 200 else None
