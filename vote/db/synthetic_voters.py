"""Accounts made and counted many at a time, for the load tester: whoever they are, they are ordinary voters."""

from vote.db.pool import Tx
from vote.domain.person import Role


def insert(tx: Tx, *, prefix: str, password_hash: str, role: Role, count: int) -> list[int]:
    """Ids of new accounts `<prefix>-1` … `<prefix>-<count>`, in any order. Raises UniqueViolation when one is there."""
    rows = tx.execute(
        """
        INSERT INTO users (username, email, password_hash, role)
        SELECT %(prefix)s || '-' || n, %(prefix)s || '-' || n || '@localhost.invalid', %(hash)s, %(role)s
        FROM generate_series(1, %(count)s) n
        RETURNING id
        """,
        {"prefix": prefix, "hash": password_hash, "role": role, "count": count},
    ).fetchall()
    return [row[0] for row in rows]


def ballots_per_voter(tx: Tx, competition: int) -> dict[int, int]:
    """How many ballots of each voter the journal has."""
    rows = tx.execute(
        "SELECT user_id, count(*) FROM ballots WHERE competition_id = %s GROUP BY user_id", (competition,)
    )
    return {row[0]: row[1] for row in rows}
