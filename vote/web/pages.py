"""Pages anybody may read: the list, a ballot, results, receipts, and how it all counts. Nothing here writes.

`POST /vote/<id>` and the live figures are the front door's; these pages hold the forms and the first figures.
"""

from datetime import UTC, datetime

from flask import Blueprint, render_template, request

from vote.db import competitions, gaps, tallies, votes
from vote.domain import policy
from vote.domain.ballot import group_receipt
from vote.domain.competition import Competition
from vote.errors import NotFound, Unavailable
from vote.web import access, pending, shown, standing, visitor
from vote.web import receipts as receipt_checks
from vote.web.access import PUBLIC

pages = Blueprint("pages", __name__)
pages.record_once(lambda state: shown.register(state.app))

LATEST = datetime.max.replace(tzinfo=UTC)
RECEIPT_MAX_CHARS = 64


@pages.get("/")
@access.rule(PUBLIC)
def listing() -> str:
    """The competitions: open ones by when they close, coming ones by when they open, then what is over."""
    person = visitor.person()
    with visitor.parts().db.read() as tx:
        found = competitions.listed(tx)
        voted = {vote.competition for vote in votes.of_person(tx, person.id)} if person else set()
        finals = tallies.read(tx, [one.id for one in found if one.state == "closed"])
    return render_template(
        "competitions.html",
        open_now=sorted(_in_state(found, "open"), key=lambda one: one.closes_at or LATEST),
        coming=sorted(_in_state(found, "scheduled"), key=lambda one: one.opens_at or LATEST),
        over=_in_state(found, "closing") + _in_state(found, "closed"),
        voted=voted,
        finals=finals,
    )


@pages.get("/vote/<id:competition_id>")
@access.rule(PUBLIC)
def ballot(competition_id: int) -> str:
    """The ballot paper, or what became of it: one address for choosing and for being certain."""
    return _page_of("vote.html", competition_id)


@pages.get("/results/<id:competition_id>")
@access.rule(PUBLIC)
def results(competition_id: int) -> str:
    """The figures, or when they will be shown."""
    return _page_of("results.html", competition_id)


@pages.get("/receipts")
@access.rule(PUBLIC)
def receipts() -> str:
    """Check a receipt. The script asks the API and needs no page for it; this is the way without one."""
    code = group_receipt(request.args.get("code", "")[:RECEIPT_MAX_CHARS])
    return render_template("receipts.html", code=code, told=_receipt(code) if code else None)


@pages.get("/how-it-counts")
@access.rule(PUBLIC)
def how_it_counts() -> str:
    """What happens to a vote, in plain words."""
    return render_template("how-it-counts.html")


@pages.get("/privacy")
@access.rule(PUBLIC)
def privacy() -> str:
    """What is stored about people, who sees it, and for how long."""
    return render_template("privacy.html")


def _page_of(template: str, competition_id: int) -> str:
    person, parts = visitor.person(), visitor.parts()
    with parts.db.read() as tx:
        competition = policy.check_see(person, competitions.find(tx, competition_id))
        mine = standing.of(parts, tx, person, competition)
        may_see = policy.can_see_results(person, competition, has_voted=mine.has_voted)
        tally = parts.replica.tally(competition, tx) if may_see else None
        waiting = pending.waiting(parts, tx, competition)
        over = gaps.overcome(tx, competition) if competition.state in ("closing", "closed") else None
    return render_template(
        template,
        competition=competition,
        mine=mine,
        tally=tally,
        waiting=waiting,
        over=over,
        wanted=_wanted(competition) or mine.choice,
        manages=policy.can_manage(person, competition),
        now=datetime.now(UTC),
    )


def _receipt(code: str) -> str:
    try:
        return receipt_checks.status_of(visitor.parts(), code)
    except NotFound:
        return "missing"
    except Unavailable:
        return "unknown"


def _wanted(competition: Competition) -> str | None:
    """The option that the address already names: the choice a voter made before logging in."""
    key = request.args.get("choice", "")
    return key if any(option.key == key for option in competition.options) else None


def _in_state(found: list[Competition], state: str) -> list[Competition]:
    return [one for one in found if one.state == state]
