"""How moments and numbers are written in pages. UTC and English here; the script puts the reader's zone and locale."""

from datetime import UTC, datetime

from flask.sansio.app import App

from vote import input_limits
from vote.domain.folding import isolated
from vote.web.admin.audit_text import person_deed
from vote.web.dashboard.audit_text import deed, part

HUES = 8  # colours in the stylesheet, told apart by colour-blind people too; the ninth option begins again


def register(app: App) -> None:
    """Give the templates of this app their filters, and the limits of what they ask for."""
    limits = {
        name: getattr(input_limits, name) for name in ("NAME_MAX_CHARS", "DESCRIPTION_MAX_CHARS", "LABEL_MAX_CHARS")
    }
    app.jinja_env.globals.update(limits)
    for written in (iso, utc, number, share, bar_width, hue, deed, part, person_deed, isolated):
        app.add_template_filter(written, written.__name__)


def iso(at: datetime) -> str:
    """`2026-11-24T22:00:00Z` (RFC 3339), for machines and for the script."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def utc(at: datetime) -> str:
    """`24 November 2026, 22:00 UTC`."""
    moment = at.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def number(value: int) -> str:
    """`1,234`."""
    return f"{value:,}"


def share(votes: int, total: int) -> str:
    """Return the part of the total in per cent, with a no-break space: `58.3 %`; `0.0 %` if nobody has voted."""
    return f"{_percent(votes, total):.1f}\N{NO-BREAK SPACE}%"


def bar_width(votes: int, total: int) -> str:
    """Return the same as an SVG length: `58.3%`."""
    return f"{_percent(votes, total):.1f}%"


def hue(key: str) -> int:
    """The colour of an option, 1 … HUES: the same on every page."""
    return (ord(key) - ord("a")) % HUES + 1


def _percent(votes: int, total: int) -> float:
    return 100 * votes / total if total else 0.0
