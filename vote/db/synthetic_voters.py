"""Creates and counts accounts in bulk for load tests, benches and the suite; to everything else they are ordinary voters."""

import secrets
from typing import Any

from psycopg import Connection

from vote.auth import PBKDF2_ROUNDS
from vote.db.pool import Tx
from vote.domain.person import Role


def insert(
    tx: Connection[tuple[Any, ...]], *, prefix: str, count: int, role: Role = "voter", first_id: int | None = None
) -> list[int]:
    """Insert accounts `<prefix>-1` … `<prefix>-<count>`, whose password nobody knows. Returns their ids, in any order.

    Ids are random as of any account, or count up from `first_id`. Raises UniqueViolation.
    """
    rows = tx.execute(
        """
        INSERT INTO users (id, username, email, email_key, password_hash, role)
        SELECT coalesce(%(first)s::bigint + n - 1, random_id()), name, name || '@localhost.invalid',
            name || '@localhost.invalid', %(hash)s, %(role)s
        FROM generate_series(1, %(count)s) n, LATERAL (SELECT %(prefix)s || '-' || n) AS named (name)
        RETURNING id
        """,
        {
            "prefix": prefix,
            "hash": f"pbkdf2:sha256:{PBKDF2_ROUNDS}${secrets.token_urlsafe(16)}${secrets.token_hex(32)}",
            "role": role,
            "count": count,
            "first": first_id,
        },
    ).fetchall()
    return [row[0] for row in rows]


def ballots_per_voter(tx: Tx, competition: int) -> dict[int, int]:
    """Return how many ballots of each voter the journal has."""
    rows = tx.execute(
        "SELECT user_id, count(*) FROM ballots WHERE competition_id = %s GROUP BY user_id", (competition,)
    )
    return {row[0]: row[1] for row in rows}
