"""Lists of competitions, in pages (keyset pagination)."""

from typing import NamedTuple

from vote.db.competitions import COMPETITION, fetch_all
from vote.db.pool import Tx
from vote.domain.competition import Competition

PAGE_SIZE = 100  # closed competitions on one page
NEWEST = 2**62  # above every id


class CompetitionPage(NamedTuple):
    """One page of a list, newest first. `next` is the `after` of the next page; None on the last.

    The first page has everything that lies ahead or is under way, however much that is: no open vote is hidden behind newer
    ones. What is over follows, PAGE_SIZE per page. Ids do not change, so nothing is skipped or repeated when something new
    appears meanwhile.
    """

    competitions: list[Competition]
    next: int | None


def listed(tx: Tx, *, after: int | None = None) -> CompetitionPage:
    """Return what anybody may find: everything scheduled, open or closing, then what is closed."""
    live = []
    if after is None:
        live = fetch_all(tx, COMPETITION + " WHERE c.status IN ('scheduled', 'open', 'closing')")
    closed = fetch_all(
        tx,
        COMPETITION + " WHERE c.status = 'closed' AND c.id < %s::bigint ORDER BY c.id DESC LIMIT %s",
        (after or NEWEST, PAGE_SIZE + 1),
    )
    return _page(live, closed)


def managed(tx: Tx, organiser_id: int | None, *, after: int | None = None) -> CompetitionPage:
    """Return an organiser's competitions, or all when no organiser is named; drafts and archived ones too."""
    live = []
    if organiser_id is None:
        if after is None:
            live = fetch_all(tx, COMPETITION + " WHERE c.status IN ('draft', 'scheduled', 'open', 'closing')")
        closed = fetch_all(
            tx,
            COMPETITION + " WHERE c.status IN ('closed', 'archived') AND c.id < %s::bigint ORDER BY c.id DESC LIMIT %s",
            (after or NEWEST, PAGE_SIZE + 1),
        )
        return _page(live, closed)
    if after is None:
        live = fetch_all(
            tx,
            COMPETITION + " WHERE c.status IN ('draft', 'scheduled', 'open', 'closing') AND c.organiser_id = %s",
            (organiser_id,),
        )
    closed = fetch_all(
        tx,
        COMPETITION + " WHERE c.status IN ('closed', 'archived') AND c.organiser_id = %s AND c.id < %s::bigint"
        " ORDER BY c.id DESC LIMIT %s",
        (organiser_id, after or NEWEST, PAGE_SIZE + 1),
    )
    return _page(live, closed)


def _page(live: list[Competition], closed: list[Competition]) -> CompetitionPage:
    """Return a page. `closed` holds one more than fits when others follow."""
    following = closed[PAGE_SIZE - 1].id if len(closed) > PAGE_SIZE else None
    return CompetitionPage(sorted([*live, *closed[:PAGE_SIZE]], key=lambda competition: -competition.id), following)
