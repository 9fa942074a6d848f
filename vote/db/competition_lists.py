"""Lists of competitions, in pages that nothing is cut off from."""

from typing import NamedTuple

from vote.db.competitions import COMPETITION, fetch_all
from vote.db.pool import Tx
from vote.domain.competition import Competition

PAGE_SIZE = 100  # closed ones on one page of a list
NEWEST = 2**62  # above every id


class CompetitionPage(NamedTuple):
    """One page of a list, newest first. `next` is what to ask for what follows with, as `after`; None on the last page.

    The first page has everything that lies ahead or goes on, however much it is: nobody misses an open vote because others
    are newer. What is over follows, PAGE_SIZE of it on each page. An id does not change, so nothing is left out or told
    twice because something new was added meanwhile.
    """

    competitions: list[Competition]
    next: int | None


def listed(tx: Tx, *, after: int | None = None) -> CompetitionPage:
    """Return what anybody may find: all that is scheduled, open or closing, then what is closed."""
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
    """Return what somebody runs, their own, or all when no organiser is named: drafts too, and what is archived."""
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
    """`closed` holds one more than a page where others follow."""
    following = closed[PAGE_SIZE - 1].id if len(closed) > PAGE_SIZE else None
    return CompetitionPage(sorted([*live, *closed[:PAGE_SIZE]], key=lambda one: -one.id), following)
