"""Lists of competitions, newest first, in pages.

The first page has all scheduled and running competitions, however many: no open vote is hidden behind newer ones.
Finished ones follow, PAGE_SIZE per page.
"""

from typing import LiteralString

from vote.db.competitions import COMPETITION, fetch_all
from vote.db.paging import NEWEST, Page, cut
from vote.db.pool import Tx
from vote.domain.competition import Competition

PAGE_SIZE = 100  # closed competitions on one page


_LIVE: LiteralString = COMPETITION + " WHERE c.status IN ('draft', 'scheduled', 'open', 'closing')"
_OVER: LiteralString = COMPETITION + " WHERE c.status IN ('closed', 'archived') AND c.id < %s::bigint"
_OF_ORGANISER: LiteralString = " AND c.organiser_id = %s"
_NEWEST_FIRST: LiteralString = " ORDER BY c.id DESC LIMIT %s"


def listed(tx: Tx, *, after: int | None = None) -> Page[Competition]:
    """Return the public list: all scheduled, open and closing competitions, then closed ones."""
    live = []
    if after is None:
        live = fetch_all(tx, COMPETITION + " WHERE c.status IN ('scheduled', 'open', 'closing')")
    query = COMPETITION + " WHERE c.status = 'closed' AND c.id < %s::bigint" + _NEWEST_FIRST
    return _page(live, fetch_all(tx, query, (after or NEWEST, PAGE_SIZE + 1)))


def managed(tx: Tx, organiser_id: int | None, *, after: int | None = None) -> Page[Competition]:
    """Return an organiser's competitions, or all when no organiser is named; drafts and archived ones too."""
    live, begin, size = [], after or NEWEST, PAGE_SIZE + 1
    if organiser_id is None:
        if after is None:
            live = fetch_all(tx, _LIVE)
        return _page(live, fetch_all(tx, _OVER + _NEWEST_FIRST, (begin, size)))
    if after is None:
        live = fetch_all(tx, _LIVE + _OF_ORGANISER, (organiser_id,))
    return _page(live, fetch_all(tx, _OVER + _OF_ORGANISER + _NEWEST_FIRST, (begin, organiser_id, size)))


def _page(live: list[Competition], over: list[Competition]) -> Page[Competition]:
    page, following = cut(over, PAGE_SIZE)
    return Page(sorted([*live, *page], key=lambda competition: -competition.id), following)
