"""Counts of attempts by subject and source; each attempt is counted before it is verified."""

from vote.db.pool import Tx
from vote.input_limits import FREE_GUESSES

EVERYWHERE = b""  # the source that stands for all together
FIRST_WAIT_S = 5
LONGEST_WAIT_S = 3_600
REMEMBER_HOURS = 24


def wait_s(tx: Tx, subject: bytes, sources: list[bytes]) -> tuple[float, bool]:
    """Return the seconds until all of these sources may try again (0 for now), and whether all networks together must wait.

    Only reads, which is cheapest in a flood.
    """
    query = """
        SELECT coalesce(max(extract(epoch FROM wait_until - now())), 0)::float8, coalesce(bool_or(source = %s), false)
        FROM attempts WHERE subject = %s AND source = ANY(%s) AND wait_until > now()
    """
    row = tx.execute(query, (EVERYWHERE, subject, sources)).fetchone()
    assert row is not None
    return row[0], row[1]


def count_slowly(tx: Tx, subject: bytes, source: bytes) -> bool:
    """Count an attempt under exponential backoff. Returns False, without counting, when it must wait."""
    _forget_if_over(tx, subject, source)
    row = tx.execute(
        """
        INSERT INTO attempts AS a (subject, source, count, wait_until, expires_at)
        VALUES (%(subject)s, %(source)s, 1, now(), now() + make_interval(hours => %(remember)s))
        ON CONFLICT (subject, source) DO UPDATE SET
            count = a.count + 1,
            wait_until = CASE WHEN a.count < %(free)s THEN now() ELSE
                now() + make_interval(secs => least(%(first)s * 2 ^ least(a.count - %(free)s, 20), %(longest)s)) END,
            expires_at = now() + make_interval(hours => %(remember)s)
        WHERE a.wait_until <= now()
        RETURNING a.count
        """,
        {
            "subject": subject,
            "source": source,
            "free": FREE_GUESSES,
            "first": FIRST_WAIT_S,
            "longest": LONGEST_WAIT_S,
            "remember": REMEMBER_HOURS,
        },
    ).fetchone()
    return row is not None


def count_up_to(tx: Tx, subject: bytes, source: bytes, *, most: int, hours: int) -> int | None:
    """Count an attempt, at most `most` within `hours` of the first. Returns its number, or None above `most`."""
    _forget_if_over(tx, subject, source)
    row = tx.execute(
        """
        INSERT INTO attempts AS a (subject, source, count, wait_until, expires_at)
        VALUES (%(subject)s, %(source)s, 1, now(), now() + make_interval(hours => %(hours)s))
        ON CONFLICT (subject, source) DO UPDATE SET
            count = a.count + 1, wait_until = CASE WHEN a.count + 1 < %(most)s THEN now() ELSE a.expires_at END
        WHERE a.count < %(most)s
        RETURNING a.count
        """,
        {"subject": subject, "source": source, "most": most, "hours": hours},
    ).fetchone()
    return None if row is None else int(row[0])


def refund(tx: Tx, subject: bytes, source: bytes) -> None:
    """Take back an attempt that was right, or was never verified."""
    tx.execute(
        "UPDATE attempts SET count = count - 1, wait_until = now() WHERE subject = %s AND source = %s AND count > 0",
        (subject, source),
    )


def forget(tx: Tx, subject: bytes, source: bytes | None = None) -> None:
    """Reset the count of one source, or of all."""
    tx.execute(
        "DELETE FROM attempts WHERE subject = %(subject)s AND (%(source)s::bytea IS NULL OR source = %(source)s::bytea)",
        {"subject": subject, "source": source},
    )


def forget_expired(tx: Tx) -> int:
    """Delete expired counts. Returns how many."""
    return tx.execute("DELETE FROM attempts WHERE expires_at <= now()").rowcount


def _forget_if_over(tx: Tx, subject: bytes, source: bytes) -> None:
    tx.execute("DELETE FROM attempts WHERE subject = %s AND source = %s AND expires_at <= now()", (subject, source))
