"""Databases of different sizes on one server, each with parts of its own: what a question costs is compared between them."""

from dataclasses import replace

import psycopg
from psycopg import sql

from bench.ground import NO_PASSWORD, PARTS, ROOT, Ground, in_database
from vote import config

STATEMENTS = (ROOT / "bench" / "filling.sql").read_text("utf-8")
PEOPLE_PER_VOTE = 10  # each person has voted in ten competitions
FILLED = "votes", "ballots"


def grown(ground: Ground, votes: int, number: int) -> Ground:
    """The ground as it is after `votes` votes: a database of its own, and the log's database `number`."""
    name = f"vote_{votes}"
    with psycopg.connect(in_database(ground.pair.owner_url, "postgres"), autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {} TEMPLATE vote").format(sql.Identifier(name)))
    _fill(in_database(ground.pair.superuser_url, name), ground, votes)
    folder = ground.folder / name
    folder.mkdir()
    urls = {f"DATABASE_URL_{part.upper()}": ground.pair.url(f"vote_{part}", name) for part in PARTS}
    own = {
        "DATABASE_URL": in_database(ground.pair.owner_url, name),
        "REDIS_URL": ground.pair.redis_url.replace("db=0", f"db={number}"),
        "VOTE_HOME": str(folder / "home"),
        "WEB_CONCURRENCY": "1",
        "LIMIT_API_PER_S": "1000000",
    }
    environment = ground.environment | urls | own
    return replace(ground, folder=folder, environment=environment, settings=config.load(environment))


def _fill(url: str, ground: Ground, votes: int) -> None:
    """Indexes are made afterwards, and neither triggers nor foreign keys are asked, which takes a superuser."""
    values = {
        "votes": votes,
        "people": votes // PEOPLE_PER_VOTE,
        "organiser": ground.organiser.id,
        "password": NO_PASSWORD,
    }
    with psycopg.ClientCursor(psycopg.connect(url, autocommit=True)) as cursor, cursor.connection as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        made = [one for table in FILLED for one in _without_indexes(connection, table)]
        cursor.execute(STATEMENTS, values)
        for statement in made:
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _without_indexes(connection: "psycopg.Connection[tuple[str, ...]]", table: str) -> list[bytes]:
    """Drop key and indexes of a table. Returns what makes them again."""
    keys = connection.execute(
        "SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),"
        " format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
        " FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
        (table,),
    ).fetchall()
    indexes = connection.execute(
        "SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)"
        " FROM pg_index WHERE indrelid = %s::regclass AND NOT indisprimary",
        (table,),
    ).fetchall()
    for drop, _ in (*keys, *indexes):
        connection.execute(drop.encode())
    return [again.encode() for _, again in (*keys, *indexes)]
