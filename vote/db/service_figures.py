"""Figures of the whole service that metrics show: what waits, what needs a person, when backups were made."""

from typing import NamedTuple

from vote.db.pool import Tx


class ServiceFigures(NamedTuple):
    """Counts of what is open now, and how many ballots and entries were ever set aside: also those that were reinstated."""

    gaps_open: int
    rejected: int
    unmatched: int
    accounts_locked: int
    mail_waiting: int
    backup_made_at: float


def read(tx: Tx) -> ServiceFigures:
    """Return all of them, of one moment. `backup_made_at`: seconds since 1970, 0 without a backup."""
    row = tx.execute(
        """
        SELECT (SELECT count(*) FROM log_gaps WHERE decided_at IS NULL),
               (SELECT count(*) FROM rejected_ballots),
               (SELECT count(*) FROM unmatched_ballots)
                   + (SELECT coalesce(sum(ballots), 0)::bigint FROM reinstatements),
               (SELECT count(*) FROM login_locks WHERE expires_at > now()),
               (SELECT count(*) FROM outbox WHERE done_at IS NULL AND recipient IS NOT NULL),
               (SELECT coalesce(extract(epoch FROM max(started_at)), 0)::float8 FROM backups
                WHERE finished_at IS NOT NULL)
        """
    ).fetchone()
    assert row is not None
    return ServiceFigures(*row)
