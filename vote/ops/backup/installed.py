"""Grant what backups need in the embedded PostgreSQL, which takes its superuser."""

import psycopg

from vote.db import replication
from vote.ops.embedded.postgres import DATABASE, SUPERUSER, Postgres

MAINTENANCE = "postgres"


def prepare_server(postgres: Postgres) -> None:
    """Keep commits from waiting for a stream that is not running yet. Call it right after a start, before anything is
    written.
    """
    with psycopg.connect(postgres.url(SUPERUSER, MAINTENANCE), autocommit=True) as superuser:
        replication.prepare_server(superuser)


def allow_backups(postgres: Postgres) -> None:
    """Give the backup role its privileges. Repeating it changes nothing."""
    with psycopg.connect(postgres.url(SUPERUSER, MAINTENANCE), autocommit=True) as superuser:
        replication.allow(superuser)
    with psycopg.connect(postgres.url(SUPERUSER, DATABASE), autocommit=True) as owner:
        replication.allow_freeze(owner)
