"""What backups need of the embedded PostgreSQL, which only its superuser can give."""

import psycopg

from vote.db import replication
from vote.ops.embedded.postgres import DATABASE, SUPERUSER, Postgres

MAINTENANCE = "postgres"


def prepare_server(postgres: Postgres) -> None:
    """Call it right after a start, before anything is written: commits must not wait for a stream that is not there yet."""
    with psycopg.connect(postgres.url(SUPERUSER, MAINTENANCE), autocommit=True) as superuser:
        replication.prepare_server(superuser)


def allow_backups(postgres: Postgres) -> None:
    """Give the backup role what it needs. A repeat changes nothing."""
    with psycopg.connect(postgres.url(SUPERUSER, MAINTENANCE), autocommit=True) as superuser:
        replication.allow(superuser)
    with psycopg.connect(postgres.url(SUPERUSER, DATABASE), autocommit=True) as owner:
        replication.allow_freeze(owner)
