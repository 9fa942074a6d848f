"""When the next backup is due. Pure: clock and dice are the caller's."""

import random
from datetime import datetime, timedelta

FIRST = timedelta(minutes=1)  # after a start without a backup: when the stack has settled
AGAIN = timedelta(minutes=15)  # after one that failed: soon, and not at once
JITTER = 0.1


def next_due(
    now: datetime, *, newest: datetime | None, failed_at: datetime | None, every: timedelta, dice: random.Random
) -> datetime:
    """When to make the next backup: `every` after the newest, give or take a tenth; soon when there is none or it failed."""
    if failed_at is not None:
        return failed_at + min(AGAIN, every)
    if newest is None:
        return now + min(FIRST, every)
    due = newest + every * (1 + dice.uniform(-JITTER, JITTER))
    return max(due, now + min(FIRST, every))
