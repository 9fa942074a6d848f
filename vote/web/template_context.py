"""Values and filters for every template: `person` (None for nobody), `must_confirm` (a sentence for people who have to
confirm their address, else None), `first_password`, `csrf_token`, and `site` (the base of absolute URLs).

The token is created when a template writes it, so a page without a form begins no session. Times and numbers are written in
UTC and English; the script converts them to the reader's zone and locale.
"""

from datetime import UTC, datetime
from typing import Any

from flask import Flask, request
from werkzeug.local import LocalProxy

from vote.db.users import Account
from vote.domain.folding import isolated
from vote.errors import NotConfirmed, VoteError
from vote.input_limits import DESCRIPTION_MAX_CHARS, LABEL_MAX_CHARS, NAME_MAX_CHARS
from vote.web import request_context
from vote.web.admin.audit_text import person_deed
from vote.web.dashboard.audit_text import deed, part

HUES = 8  # colours in the stylesheet, distinguishable for colour-blind people; the ninth option reuses the first

csrf_token: LocalProxy[str] = LocalProxy(request_context.csrf_token)


def register(app: Flask) -> None:
    """Give this app's templates their filters, limits and `_values`."""
    app.jinja_env.globals.update(
        NAME_MAX_CHARS=NAME_MAX_CHARS, DESCRIPTION_MAX_CHARS=DESCRIPTION_MAX_CHARS, LABEL_MAX_CHARS=LABEL_MAX_CHARS
    )
    for written in (iso, utc, number, share, bar_width, hue, deed, part, person_deed, isolated):
        app.add_template_filter(written)
    app.context_processor(_values)


def iso(at: datetime) -> str:
    """Return `2026-11-24T22:00:00Z` (RFC 3339), for machines and the script."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def utc(at: datetime) -> str:
    """Return `24 November 2026, 22:00 UTC`."""
    moment = at.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def number(value: int) -> str:
    """Return `1,234`."""
    return f"{value:,}"


def share(votes: int, total: int) -> str:
    """Return the part of the total in per cent, with a no-break space: `58.3 %`; `0.0 %` if nobody has voted."""
    return f"{_percent(votes, total):.1f}\N{NO-BREAK SPACE}%"


def bar_width(votes: int, total: int) -> str:
    """Return the same as an SVG length: `58.3%`."""
    return f"{_percent(votes, total):.1f}%"


def hue(key: str) -> int:
    """Return the colour of an option, 1 … HUES, the same on every page."""
    return (ord(key) - ord("a")) % HUES + 1


def _percent(votes: int, total: int) -> float:
    return 100 * votes / total if total else 0.0


def _values() -> dict[str, Any]:
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
        return None  # pages that need the answer have asked before; only error pages are left
