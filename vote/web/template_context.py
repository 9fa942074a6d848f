"""What every template may use beside its own values: `person` (None for nobody), `must_confirm` (the sentence for
those who have to, else None), `first_password`, `csrf_token`, and `site`, how absolute addresses begin.

The token is made when a template writes it, so a page without a form gives no session to a stranger.
"""

from typing import Any

from flask import request
from werkzeug.local import LocalProxy

from vote.db.users import Account
from vote.errors import NotConfirmed, VoteError
from vote.web import request_context

csrf_token: LocalProxy[str] = LocalProxy(request_context.csrf_token)


def values() -> dict[str, Any]:
    """The values, for Flask's context_processor."""
    account = _account()
    return {
        "person": account.person if account else None,
        "must_confirm": None if account is None or request_context.is_confirmed(account) else NotConfirmed().detail,
        "first_password": account is not None and account.first_password,
        "csrf_token": csrf_token,
        "site": (request_context.services().settings.public_url or request.host_url).rstrip("/"),
    }


def _account() -> Account | None:
    try:
        return request_context.account()
    except VoteError:
        return None  # a page that needs the answer has asked before; what is left are error pages
