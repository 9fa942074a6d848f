"""A PostgreSQL with an asynchronous standby that takes its place, and one URL that leads to whichever takes writes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.integration.db.standby import Standby
from tests.servers import Pair, start_pair
from tests.stack import wait_until
from vote.db import migrate
from vote.ops.embedded.programs import ServerSource


class TwoDatabases:
    """The pair of a test with a standby. `url` is the owner's, `pair.redis_url` the log's."""

    def __init__(self, pair: Pair, standby: Standby) -> None:
        self.pair, self.standby = pair, standby
        first, second = (url.partition("?")[2] for url in (pair.owner_url, standby.url("vote_owner")))
        hosts, ports = zip(*[_place(one) for one in (first, second)], strict=True)
        places = f"host={','.join(hosts)}&port={','.join(ports)}&target_session_attrs=read-write&connect_timeout=5"
        self.url = f"{pair.owner_url.partition('?')[0]}?{places}"

    def say(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What whichever takes writes answers to the owner."""
        with psycopg.connect(self.url, autocommit=True) as owner:
            done = owner.execute(statement.encode(), values or None)
            return list(done.fetchall()) if done.description else []

    def wait_until_equal(self) -> None:
        """Return when the standby shows all that is committed."""
        ((at,),) = self.say("SELECT pg_current_wal_flush_lsn()::text")
        wait_until(
            lambda: self.standby.say(f"SELECT pg_last_wal_replay_lsn() >= '{at}'") == [(True,)],
            what="the standby follows",
        )

    def fail_over(self) -> None:
        """The primary is gone, for good; the standby takes its place as far as it has heard."""
        self.pair.kill_database()
        self.standby.promote()


def _place(query: str) -> tuple[str, str]:
    found = dict(part.split("=", 1) for part in query.split("&"))
    return found["host"], found["port"]


@contextlib.contextmanager
def two_databases(server_source: ServerSource, folder: Path) -> Iterator[TwoDatabases]:
    """Migrated and following; ended afterwards."""
    pair = start_pair(server_source, folder / "primary", durable=True)
    try:
        migrate.upgrade(pair.owner_url)
        pair.let_in("vote_backup")
        standby = Standby(pair, folder / "standby")
        try:
            standby.start()
            yield TwoDatabases(pair, standby)
        finally:
            standby.stop()
    finally:
        pair.stop()
