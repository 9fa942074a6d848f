"""Tokens for API clients: made here, read by `edge/bearer.py`."""

import time

from vote.auth import create_jwt_token
from vote.edge.parts import Parts
from vote.web import visitor


def issue(parts: Parts, user_id: int, *, confirmed: bool) -> str:
    """A token that counts from when the request for it came in: what was ended since then has ended it too.

    It knows its beginning by the second only. So when everything of this person was ended earlier in that second, it
    begins with the next one, which is waited for.
    """
    parts.revoked.refresh()  # another process may have ended it a moment ago
    began = visitor.began()
    if int(began) <= parts.revoked.ended_at(user_id) < began:
        began = int(began) + 1
        time.sleep(max(0.0, began - time.time()))
    return create_jwt_token(user_id, secret=parts.settings.jwt_secret, now=began, confirmed=confirmed)
