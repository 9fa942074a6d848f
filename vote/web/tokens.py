"""Tokens for API clients: made here, read by `identity/bearer_tokens.py`.

What was ended before is told apart by PostgreSQL's clock.
"""

import time

from vote.auth import create_jwt_token
from vote.db import clock
from vote.errors import DatabaseUnavailable
from vote.services.container import Services
from vote.web import request_context

BEFORE_S = int(clock.APART_S)


def issue(services: Services, user_id: int, *, confirmed: bool) -> str:
    """Return a token that counts from the beginning of its login: what was ended since then has ended it too.

    It says the second before that, by PostgreSQL's clock: no reader allows any leeway, and every ready one has a clock that
    is at most APART_S behind. When everything of this person was ended within that time, it says the next second instead,
    and every reader's clock is waited for.
    """
    services.revocations.refresh()  # another process may have ended it a moment ago
    began, ended = request_context.began(), services.revocations.ended_at(user_id)
    issued = int(began) - BEFORE_S
    if issued <= ended < began:
        later = int(ended) + 1
        time.sleep(max(0.0, later + BEFORE_S - request_context.now_by_database()))
        services.revocations.refresh()
        if services.revocations.ended_at(user_id) == ended:  # else it was ended once more, which ends this login too
            issued = later
    return create_jwt_token(user_id, secret=services.settings.jwt_secret, now=issued, confirmed=confirmed)


def know_ended(services: Services, user_id: int) -> None:
    """Know at once in this process that everything of a person was ended, from the moment PostgreSQL says."""
    try:
        services.revocations.refresh()
    except DatabaseUnavailable:
        services.revocations.add(f"user:{user_id}")
