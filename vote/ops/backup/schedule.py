"""Compute when the next backup is due. Pure: the caller passes clock and randomness."""

import random
from datetime import datetime, timedelta

FIRST = timedelta(minutes=1)  # after a start without a backup: once the stack has settled
AGAIN = timedelta(minutes=15)  # after a failure: soon, but not at once
JITTER = 0.1


def next_due(
    now: datetime, *, newest: datetime | None, failed_at: datetime | None, every: timedelta, dice: random.Random
) -> datetime:
    """Return when to make the next backup: `every` ± 10 % after the newest; soon if there is none or the last one failed."""
    if failed_at is not None:
        return failed_at + min(AGAIN, every)
    if newest is None:
        return now + min(FIRST, every)
    due = newest + every * (1 + dice.uniform(-JITTER, JITTER))
    return max(due, now + min(FIRST, every))
