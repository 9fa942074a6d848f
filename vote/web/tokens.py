"""Tokens for API clients: made here, read by `edge/bearer.py`."""

import time

from vote.auth import create_jwt_token
from vote.edge.parts import Parts

LONGEST_WAIT_S = 1.0


def issue(parts: Parts, user_id: int) -> str:
    """A token that is alive: after everything of this person was ended, it waits for the second to be over.

    A token knows its beginning by the second only, so one made in the same second would be as dead as those before it.
    """
    parts.revoked.refresh()  # another process may have ended it a moment ago
    now = time.time()
    if int(now) <= parts.revoked.ended_at(user_id) < now + LONGEST_WAIT_S:
        time.sleep(int(now) + 1 - now)
        now = max(time.time(), int(now) + 1)
    return create_jwt_token(user_id, secret=parts.settings.jwt_secret, now=now)
