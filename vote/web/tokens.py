"""Issues tokens to API clients; `identity/bearer_tokens.py` reads them.

PostgreSQL's clock decides whether a login began before or after a revocation.
"""

import time

from vote.auth import create_jwt_token
from vote.db import clock
from vote.errors import DatabaseUnavailable
from vote.services.container import Services
from vote.web import request_context

BEFORE_S = int(clock.APART_S)


def issue(services: Services, user_id: int, *, confirmed: bool) -> str:
    """Return a token that counts from the start of its login: revocations since then end it too.

    It states the second before, by PostgreSQL's clock: readers allow no leeway, and a ready reader's clock is at most
    APART_S behind. If all logins of the account were revoked within that time, the token states the next second and is
    issued when every reader's clock has reached it.
    """
    services.revocations.refresh()  # another process may just have revoked it
    began, ended = request_context.began(), services.revocations.ended_at(user_id)
    issued = int(began) - BEFORE_S
    if issued <= ended < began:
        later = int(ended) + 1
        time.sleep(max(0.0, later + BEFORE_S - request_context.now_by_database()))
        services.revocations.refresh()
        if services.revocations.ended_at(user_id) == ended:  # else it was revoked again, which ends this login too
            issued = later
    return create_jwt_token(user_id, secret=services.settings.jwt_secret, now=issued, confirmed=confirmed)


def know_ended(services: Services, user_id: int) -> None:
    """Revoke all earlier logins of a person in this process at once, from the moment that PostgreSQL states."""
    try:
        services.revocations.refresh()
    except DatabaseUnavailable:
        services.revocations.add(f"user:{user_id}")
