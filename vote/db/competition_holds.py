"""Holds: while it is found out whether anybody has voted, the log takes no ballots (`actions/competition_holds.py`)."""

from vote.db.pool import Tx


def hold(tx: Tx, competition_id: int, *, rules_version: int, seconds: float) -> None:
    """Let the log take no ballots for a moment. Nobody sees a difference but who votes just then, and is told 503."""
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
    """Competitions whose hold is over, and nobody has ended it: who began it is gone. With the version of their rules."""
    return tx.execute("SELECT id, rules_version FROM competitions WHERE held_until < now()").fetchall()
