"""The voters of a load: ordinary accounts that nobody can log in to, erased at the end as if they had asked for it.

*Prepared* voters are inserted into the database and get tokens signed here, for a command with the deployment's settings; no
password is hashed. *Registered* voters use `POST /register` like anybody; each costs the service about 0.3 s of a core, and
a network may register 600 an hour.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vote.actions import accounts
from vote.auth import PBKDF2_ROUNDS, create_jwt_token
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import installation, synthetic_voters
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.domain.person import Role
from vote.errors import NotAllowed
from vote.ops.load.api import AT_ONCE, Api, for_each
from vote.ops.load.target import Target

BY = "vote load"

ProgressStep = Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], None]]]


class Voter(NamedTuple):
    """An account and its token."""

    id: int
    token: str


@contextlib.contextmanager
def prepared(
    settings: Settings, prefix: str, count: int, step: ProgressStep, *, role: Role = "voter", keep: bool
) -> Iterator[list[Voter]]:
    """Yield accounts inserted into the database of these settings; erase them afterwards unless `keep`."""
    with contextlib.closing(Database(settings.database("owner"), size=AT_ONCE, name=BY)) as db:
        unusable_hash = f"pbkdf2:sha256:{PBKDF2_ROUNDS}${secrets.token_urlsafe(16)}${secrets.token_hex(32)}"
        with db.transaction(by=BY) as tx:
            ids = synthetic_voters.insert(tx, prefix=prefix, password_hash=unusable_hash, role=role, count=count)
        try:
            yield [Voter(user_id, create_jwt_token(user_id, secret=settings.jwt_secret)) for user_id in ids]
        finally:
            if not keep:
                _erase(settings, db, ids, step)


def _erase(settings: Settings, db: Database, ids: list[int], step: ProgressStep) -> None:
    log = BallotLog(settings.log_url, settings.vote_shards, Installation())
    installation.learn(db, log.installation)
    with contextlib.closing(log), step("Erasing accounts", len(ids)) as done:
        for_each(lambda user_id: accounts.erase(db, log, by=user_id), ids, done)


@contextlib.contextmanager
def registered(target: Target, prefix: str, count: int, step: ProgressStep, *, keep: bool) -> Iterator[list[Voter]]:
    """Yield accounts registered over HTTP; each erases itself afterwards unless `keep`."""
    voters: list[Voter] = []
    passwords: dict[int, str] = {}

    def register(number: int) -> None:
        password = secrets.token_urlsafe(16)
        form = {"username": f"{prefix}-{number}", "email": f"{prefix}-{number}@example.com"}
        with contextlib.closing(Api(target)) as api:
            reply = api.ask("POST", "/register", form | {"password": password, "confirm_password": password})
        if reply.status != 201:
            raise NotAllowed(f"Registering {form['username']} was refused. {reply.detail}")
        voter = Voter(reply.json["user"]["id"], reply.json["token"])
        passwords[voter.id] = password
        voters.append(voter)

    def erase(voter: Voter) -> None:
        with contextlib.closing(Api(target, voter.token)) as api:
            reply = api.ask("DELETE", "/api/me", {"password": passwords[voter.id]})
        if reply.status != 204:
            raise NotAllowed(f"Account {voter.id} could not be erased. {reply.detail}")

    try:
        with step("Registering", count) as done:
            for_each(register, range(1, count + 1), done)
        yield voters
    finally:
        if not keep:
            with step("Erasing accounts", len(voters)) as done:
                for_each(erase, voters, done)


def check_known(target: Target, voter: Voter) -> None:
    """Raise NotAllowed when the target does not know a voter: settings and target then belong to different deployments."""
    with contextlib.closing(Api(target, voter.token)) as api:
        reply = api.ask("GET", "/api/me")
    if reply.status != 200 or reply.json["id"] != voter.id:
        raise NotAllowed(
            f"{target.url} does not know this load's accounts: the settings here (DATABASE_URL, JWT_SECRET) belong to"
            f" another deployment. Use --register. {reply.detail}"
        )
