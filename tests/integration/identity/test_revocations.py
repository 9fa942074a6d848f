"""The list of log-outs in the faults of PostgreSQL: a dead connection, an outage, a process that is cut off, a failover."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests import proxy
from tests.proxy import Proxy
from tests.servers import Pair
from tests.stack import wait_until
from vote.ballotlog import heartbeats as heartbeats_module
from vote.ballotlog.heartbeats import Heartbeats
from vote.config import DatabaseTarget, Settings
from vote.db import users
from vote.db.dedicated_connection import DedicatedConnection
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.installation import Installation
from vote.errors import NotLoggedIn, Unavailable
from vote.identity import revocations as revoked_module
from vote.identity.revocations import RevocationList


@pytest.fixture
def between(settings: Settings, database_url: str) -> Iterator[tuple[Proxy, DatabaseTarget]]:
    with proxy.before_postgres(database_url) as (one, url):
        yield one, DatabaseTarget(url, None)


@pytest.fixture
def heartbeats(settings: Settings) -> Iterator[Heartbeats]:
    one = Heartbeats(settings.log_url, Installation("tests"))
    yield one
    one.close()


@pytest.fixture(autouse=True)
def _sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in less time, in the same proportion."""
    monkeypatch.setattr(revoked_module, "STALE_AFTER_S", 4.0)
    monkeypatch.setattr(revoked_module, "HEARTBEAT_EVERY_S", 0.4)
    monkeypatch.setattr(heartbeats_module, "DATABASE_REACHED_MS", 1_500)


def revoke(owner: Database, subject: str) -> None:
    with owner.transaction(by="tests") as tx:
        users.revoke(tx, subject, keep_hours=24)


def is_in(revoked: RevocationList, user_id: int, *, began: float = 1.0) -> bool | None:
    """Whether this person's login counts; None when it is not known."""
    try:
        revoked.check("sid:some", user_id=user_id, began=began)
    except NotLoggedIn:
        return False
    except Unavailable:
        return None
    return True


@pytest.fixture
def follow(heartbeats: Heartbeats) -> Iterator[Callable[..., RevocationList]]:
    """Begins to follow log-outs at a target."""
    begun: list[RevocationList] = []

    def start(target: DatabaseTarget, **how: object) -> RevocationList:
        one = RevocationList(DedicatedConnection(target, name="tests of log-outs"), heartbeats, **how)  # type: ignore[arg-type]
        one.start()
        begun.append(one)
        return one

    yield start
    for one in begun:
        one.stop()


def test_a_log_out_is_heard_although_the_connection_has_gone_dead_without_a_word(
    owner: Database, between: tuple[Proxy, DatabaseTarget], follow: Callable[..., RevocationList]
) -> None:
    between_them, target = between
    revoked = follow(target)

    between_them.silence_open()
    revoke(owner, "user:7")

    wait_until(lambda: is_in(revoked, 7) is False, what="it is heard over a new connection")
    assert not revoked.is_cut_off


def test_who_is_cut_off_while_others_reach_postgresql_lets_in_only_later_logins(
    settings: Settings, owner: Database, between: tuple[Proxy, DatabaseTarget], follow: Callable[..., RevocationList]
) -> None:
    between_them, target = between
    cut, strict = follow(target), follow(target, stale_logins="none")
    other = follow(settings.database("owner"))

    between_them.cut()
    revoke(owner, "user:7")
    wait_until(lambda: cut.is_cut_off and strict.is_cut_off, what="they know that they are cut off")
    later = time.time()

    assert (is_in(other, 7), is_in(other, 8)) == (False, True)
    assert (is_in(cut, 7), is_in(cut, 8)) == (None, None), "whether it has ended is not known here"
    assert (is_in(cut, 8, began=later), is_in(strict, 8, began=later)) == (True, None)

    between_them.heal()
    wait_until(lambda: is_in(cut, 7) is False and is_in(strict, 8) is True, what="all is known again")
    assert not cut.is_cut_off


def test_while_postgresql_is_away_for_everybody_logins_go_on_counting(
    between: tuple[Proxy, DatabaseTarget], follow: Callable[..., RevocationList]
) -> None:
    between_them, target = between
    revoked, found = follow(target), set()

    between_them.cut()

    def is_stale() -> bool:
        found.add(is_in(revoked, 8))
        return revoked.age_s > 2 * revoked_module.STALE_AFTER_S

    wait_until(is_stale, what="the list is far older than it may be")
    assert found == {True}, "votes are accepted while PostgreSQL is away"


def test_a_log_that_does_not_answer_either_says_nothing(
    between: tuple[Proxy, DatabaseTarget], follow: Callable[..., RevocationList], servers: Pair
) -> None:
    between_them, target = between
    revoked = follow(target)

    servers.freeze_log()
    try:
        between_them.cut()
        wait_until(lambda: is_in(revoked, 8) is None, what="nobody is trusted any more")
    finally:
        servers.thaw_log()


def test_before_it_was_read_once_nobody_is_let_in_whoever_reaches_postgresql(
    between: tuple[Proxy, DatabaseTarget], follow: Callable[..., RevocationList]
) -> None:
    between_them, target = between
    between_them.cut()
    revoked = follow(target)

    assert not revoked.is_loaded
    assert is_in(revoked, 8, began=time.time() + 60) is None
    between_them.heal()
    wait_until(lambda: is_in(revoked, 8) is True, what="it was read")


def test_log_outs_are_heard_after_a_failover_that_lost_the_newest_ones(
    settings: Settings, owner: Database, heartbeats: Heartbeats, make_user: Callable[..., Account]
) -> None:
    """A promoted standby that lacks the newest rows gives their ids again, lower ones than were read before."""
    with closing(DedicatedConnection(settings.database("owner"), name="tests of log-outs")) as connection:
        revoked = RevocationList(connection, heartbeats)
        for number in range(1_000, 1_000 + 3 * revoked_module.OVERLAP_IDS):
            revoke(owner, f"user:{number}")
        revoked.refresh()
        with owner.transaction(by="tests") as tx:
            tx.execute("DELETE FROM revocations WHERE id > 5")
            tx.execute("SELECT setval(pg_get_serial_sequence('revocations', 'id'), 5)")

        revoke(owner, "user:7")
        revoked.refresh()
        assert is_in(revoked, 7) is False, "the newest log-out was given an id that was read before"
        revoke(owner, "user:8")
        revoked.refresh()

        assert is_in(revoked, 8) is False
        assert is_in(revoked, 1_500) is False, "what is known here and not there any more stays dead"


def test_a_quiet_list_that_had_its_time_is_read_on(settings: Settings, owner: Database, heartbeats: Heartbeats) -> None:
    with closing(DedicatedConnection(settings.database("owner"), name="tests of log-outs")) as connection:
        revoked = RevocationList(connection, heartbeats)
        revoke(owner, "user:7")
        revoked.refresh()
        with owner.transaction(by="tests") as tx:
            tx.execute("DELETE FROM revocations")
        revoked.refresh()
        revoke(owner, "user:8")
        revoked.refresh()

    assert (is_in(revoked, 7), is_in(revoked, 8), is_in(revoked, 9)) == (False, False, True)
