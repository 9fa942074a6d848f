"""Holds: while a process finds out whether anyone has voted, the log takes no ballots (`actions/competition_holds.py`)."""

from vote.db.pool import Tx


def hold(tx: Tx, competition_id: int, *, rules_version: int, seconds: float) -> None:
    """Hold a competition: the log takes no ballots for it. Only people who vote just then notice, and get 503."""
    tx.execute(
        "UPDATE competitions SET held_until = now() + make_interval(secs => %s), rules_version = %s WHERE id = %s",
        (seconds, rules_version, competition_id),
    )


def release(tx: Tx, competition_id: int, *, rules_version: int) -> None:
    """Let the log take ballots again."""
    tx.execute(
        "UPDATE competitions SET held_until = NULL, rules_version = %s WHERE id = %s", (rules_version, competition_id)
    )


def held_too_long(tx: Tx) -> list[tuple[int, int]]:
    """Return competitions whose hold has expired, because its process is gone, with the version of their rules."""
    return tx.execute("SELECT id, rules_version FROM competitions WHERE held_until < now()").fetchall()
