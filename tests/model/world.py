"""The real parts the machine works on: PostgreSQL with copies of its tables, a log, two workers; made once for all runs."""

import asyncio
from typing import LiteralString

import psycopg
import redis

from tests.casting import installation_of
from tests.conftest import in_database
from tests.model.clients import SilencedLog
from tests.model.facts import Books, Gap, Line, Status
from tests.servers import Pair
from vote.ballotlog import keys
from vote.config import Settings
from vote.db.pool import Database
from vote.worker.worker import Worker

FRESH, BACKUP, PRESENT = "fresh", "backup", "public"  # schemas: a copy of all tables each

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
        self.installation = installation_of(settings)
        self.log = SilencedLog(settings.log_url, self.installation)
        self.runner = asyncio.Runner()
        self.db = Database(settings.database("web"), size=2, name="vote web")
        self.owner = Database(settings.database("owner"), size=2, name="vote tests")
        self.workers = [Worker.from_settings(settings) for _ in range(2)]
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

    def marked(self, shard: int, epoch: str) -> int | None:
        """How far PostgreSQL knows an epoch of a shard to be acknowledged."""
        row = self.admin.execute("SELECT position FROM log_marks WHERE shard = %s AND epoch = %s", (shard, epoch))
        found = row.fetchone()
        return None if found is None else int(found[0])

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
