"""Creates and counts accounts in bulk for the load tester; to everything else they are ordinary voters."""

from vote.db.pool import Tx
from vote.domain.person import Role


def insert(tx: Tx, *, prefix: str, password_hash: str, role: Role, count: int) -> list[int]:
    """Insert accounts `<prefix>-1` … `<prefix>-<count>`. Returns their ids, in any order. Raises UniqueViolation."""
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
    """Return how many ballots of each voter the journal has."""
    rows = tx.execute(
        "SELECT user_id, count(*) FROM ballots WHERE competition_id = %s GROUP BY user_id", (competition,)
    )
    return {row[0]: row[1] for row in rows}
