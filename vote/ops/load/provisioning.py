"""Provide what a load needs, and remove it again: voters and competitions.

Voters are ordinary accounts that nobody can log in to, erased at the end as if they had asked for it. *Prepared* ones are
inserted into the database and get tokens signed here, for a command with the deployment's settings; no password is hashed.
*Registered* ones use `POST /register` like anybody; each costs the service about 0.3 s of a core, and a network may register
600 an hour.

Competitions are closed at the end and archived, so that no page shows them. Closing is also how a load waits: a competition
is final only once every accepted ballot in it is recorded.
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from vote.actions import accounts
from vote.auth import create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import installation, synthetic_voters
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.domain.person import Role
from vote.errors import Conflict, NotAllowed, NotFound
from vote.ops.load import target
from vote.ops.load.target import Api, Target
from vote.ops.progress import Bar

T = TypeVar("T")
R = TypeVar("R")

BY = "vote load"
AT_ONCE = 8  # concurrent calls when there is one for each user
POLL_EVERY_S = 0.2
INTERRUPTED_WITHIN_S = 15.0  # for an interrupted load to become final; a completed one already is
KEYS = ("a", "b")  # options of the competitions made here


class Voter(NamedTuple):
    """An account and its token."""

    id: int
    token: str


def for_each(label: str, do: Callable[[T], R], items: Sequence[T], *, quiet: bool) -> list[R]:
    """Call `do` for each item, AT_ONCE at a time, and return the results in order. Shows the progress unless `quiet`."""
    results = []
    with Bar(label, len(items), describe=lambda n: f"{n:,}", quiet=quiet) as bar, ThreadPoolExecutor(AT_ONCE) as pool:
        for result in pool.map(do, items):
            results.append(result)
            bar.add(1)
    return results


@contextlib.contextmanager
def prepared(
    settings: Settings, prefix: str, count: int, *, role: Role = "voter", keep: bool, quiet: bool
) -> Iterator[list[Voter]]:
    """Yield accounts inserted into the database of these settings; erase them afterwards unless `keep`."""
    with contextlib.closing(Database(settings.database("owner"), size=AT_ONCE, name=BY)) as db:
        with db.transaction(by=BY) as tx:
            ids = synthetic_voters.insert(tx, prefix=prefix, role=role, count=count)
        try:
            yield [Voter(user_id, create_jwt_token(user_id, secret=settings.jwt_secret)) for user_id in ids]
        finally:
            if not keep:
                _erase(settings, db, ids, quiet=quiet)


def _erase(settings: Settings, db: Database, ids: list[int], *, quiet: bool) -> None:
    with contextlib.closing(BallotLog(settings.log_url, settings.vote_shards, Installation())) as log:
        installation.learn(db, log.installation)
        for_each("Erasing accounts", lambda user_id: accounts.erase(db, log, by=user_id), ids, quiet=quiet)


@contextlib.contextmanager
def registered(aim: Target, prefix: str, count: int, *, keep: bool, quiet: bool) -> Iterator[list[Voter]]:
    """Yield accounts registered over HTTP; each erases itself afterwards unless `keep`."""
    passwords: dict[Voter, str] = {}

    def register(number: int) -> None:
        password = secrets.token_urlsafe(16)
        form = {"username": f"{prefix}-{number}", "email": f"{prefix}-{number}@example.com"}
        reply = target.ask(aim, "POST", "/register", form | {"password": password, "confirm_password": password})
        if reply.status != 201:
            raise NotAllowed(f"Registering {form['username']} was refused. {reply.detail}")
        passwords[Voter(reply.json["user"]["id"], reply.json["token"])] = password

    def erase(voter: Voter) -> None:
        reply = target.ask(aim, "DELETE", "/api/me", {"password": passwords[voter]}, token=voter.token)
        if reply.status != 204:
            raise NotAllowed(f"Account {voter.id} could not be erased. {reply.detail}")

    try:
        for_each("Registering", register, range(1, count + 1), quiet=quiet)
        yield list(passwords)
    finally:
        if not keep:
            for_each("Erasing accounts", erase, list(passwords), quiet=quiet)


def check_known(aim: Target, voter: Voter) -> None:
    """Raise NotAllowed when the target does not know a voter: settings and target then belong to different deployments."""
    reply = target.ask(aim, "GET", "/api/me", token=voter.token)
    if reply.status != 200 or reply.json["id"] != voter.id:
        raise NotAllowed(
            f"{aim.url} does not know this load's accounts: the settings here (DATABASE_URL, JWT_SECRET) belong to"
            f" another deployment. Use --register. {reply.detail}"
        )


@contextlib.contextmanager
def new_competitions(api: Api, name: str, count: int, *, keep: bool) -> Iterator[list[int]]:
    """Yield the ids of `count` open competitions; close them afterwards, and archive them unless `keep`. `api` is an
    organiser's.
    """
    ids: list[int] = []
    try:
        for number in range(1, count + 1):
            body = {
                "name": f"{name}, {number} of {count}",
                "options": ["Load a", "Load b"],
                "description": "A load test.",
            }
            reply = api.ask("POST", "/api/admin/competitions", body)
            if reply.status != 201:
                raise NotAllowed(f"Creating a competition was refused. {reply.detail}")
            ids.append(reply.json["id"])
        yield ids
    finally:
        close_and_settle(api, ids, within=INTERRUPTED_WITHIN_S)  # only final competitions can be archived
        for competition in () if keep else ids:
            api.ask("POST", f"/api/admin/competitions/{competition}/archive")


def options_of(api: Api, competition: int) -> tuple[str, ...]:
    """Return the option keys of an existing competition. Raises NotFound, or Conflict unless it is open and has no votes."""
    reply = api.ask("GET", f"/api/competitions/{competition}")
    if reply.status != 200:
        raise NotFound(f"Competition {competition} does not exist or is not visible. {reply.detail}")
    if reply.json["state"] != "open" or reply.json["allow_change"]:
        raise Conflict(f"Competition {competition} must be open and must not allow changing votes.")
    if any(tally(api, competition).values()):
        raise Conflict(
            f"People have voted in competition {competition}. A load would falsify its result: use an unused competition."
        )
    return tuple(option["key"] for option in reply.json["options"])


def tally(api: Api, competition: int) -> dict[str, int]:
    """Return the tally as people see it. Raises NotAllowed if it is hidden."""
    reply = api.ask("GET", f"/api/competitions/{competition}/results")
    if reply.status != 200:
        raise NotAllowed(
            f"The results of competition {competition} are hidden: pass its organiser's token. {reply.detail}"
        )
    counts: dict[str, int] = reply.json["options"]
    return counts


def close_and_settle(api: Api, ids: Sequence[int], *, within: float) -> bool:
    """Close the competitions and wait until all are final. Returns False if one is not after `within` seconds."""
    for competition in ids:
        api.ask("POST", f"/api/admin/competitions/{competition}/close")

    def is_closed(competition: int) -> bool:
        return bool(api.ask("GET", f"/api/admin/competitions/{competition}").json["state"] == "closed")

    return _wait(lambda: all(is_closed(competition) for competition in ids), within)


def settle(api: Api, competition: int, accepted: int, *, within: float) -> bool:
    """Wait until so many votes are counted. Returns False if they are not after `within` seconds."""
    return _wait(lambda: sum(tally(api, competition).values()) >= accepted, within)


def _wait(condition: Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_EVERY_S)
    return True
