"""What every template may use beside its own values: `person` (None for nobody) and `csrf_token`.

The token is made when a template writes it, so a page without a form gives no session to a stranger.
"""

from typing import Any

from werkzeug.local import LocalProxy

from vote.domain.person import Person
from vote.errors import VoteError
from vote.web import visitor

csrf_token: LocalProxy[str] = LocalProxy(visitor.csrf_token)


def values() -> dict[str, Any]:
    """The values, for Flask's context_processor."""
    return {"person": _person(), "csrf_token": csrf_token}


def _person() -> Person | None:
    try:
        return visitor.person()
    except VoteError:
        return None  # a page that needs the answer has asked before; what is left are error pages
