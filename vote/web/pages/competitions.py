"""Public pages: the list, a ballot, results, receipts, and how votes are counted. Nothing here writes.

The front door handles `POST /vote/<id>` and live figures; these pages contain the forms and the first figures.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from flask import Blueprint, render_template, request

from vote.db import competitions, gaps, tallies, votes
from vote.domain import policy
from vote.domain.competition import Competition
from vote.domain.person import Person
from vote.domain.receipt import group_receipt
from vote.errors import NotFound, Unavailable
from vote.services.container import Services
from vote.web import access, request_context
from vote.web.access import PUBLIC
from vote.web.api import paging
from vote.web.api import receipts as receipt_checks
from vote.web.pages import corrections, pending_ballots, voter_status
from vote.web.pages.voter_status import StoredVote

pages = Blueprint("pages", __name__)

LATEST = datetime.max.replace(tzinfo=UTC)
RECEIPT_MAX_CHARS = 64


@pages.get("/")
@access.rule(PUBLIC)
def listing() -> str:
    """List competitions: open ones by closing time, scheduled ones by opening time, then finished ones in pages."""
    person, services, after = request_context.person(), request_context.services(), paging.after()
    found, totals, following = services.competition_cache.listing(after)
    voted: set[int] = set()
    if person is not None:
        with services.db.read() as tx:
            voted = {vote.competition for vote in votes.of_person(tx, person.id)}
    return render_template(
        "competitions.html",
        open_now=sorted(_in_state(found, "open"), key=lambda one: one.closes_at or LATEST),
        coming=sorted(_in_state(found, "scheduled"), key=lambda one: one.opens_at or LATEST),
        over=[*_in_state(found, "closing"), *_in_state(found, "closed")],
        voted=voted,
        totals=totals,
        after=after,
        next=following,
    )


@pages.get("/vote/<id:competition_id>")
@access.rule(PUBLIC)
def ballot(competition_id: int) -> str:
    """Show the ballot, or the voter's stored vote with its receipt."""
    return _page_of("vote.html", competition_id)


@pages.get("/results/<id:competition_id>")
@access.rule(PUBLIC)
def results(competition_id: int) -> str:
    """Show the results, or when they will be shown."""
    return _page_of("results.html", competition_id)


@pages.get("/receipts")
@access.rule(PUBLIC)
def receipts() -> str:
    """Check a receipt. The script uses the API instead; this page works without it."""
    code = group_receipt(request.args.get("code", "")[:RECEIPT_MAX_CHARS])
    return render_template("receipts.html", code=code, told=_receipt(code) if code else None)


@pages.get("/how-it-counts")
@access.rule(PUBLIC)
def how_it_counts() -> str:
    """Explain how a vote is counted."""
    return render_template("how-it-counts.html")


@pages.get("/privacy")
@access.rule(PUBLIC)
def privacy() -> str:
    """Explain what is stored about people, who sees it, and for how long."""
    return render_template("privacy.html")


def _page_of(template: str, competition_id: int) -> str:
    person, services = request_context.person(), request_context.services()
    competition = policy.check_see(person, services.competition_cache.competition(competition_id))
    mine = voter_status.find(services, person, competition)
    figures: dict[str, object] = {"tally": None, "waiting": None, "over": None}
    if template == "results.html" or mine.has_voted or competition.state in ("closing", "closed", "archived"):
        competition, figures = _figures(services, person, competition, mine)
    return render_template(
        template,
        competition=competition,
        mine=mine,
        may_see=policy.can_see_results(person, competition, has_voted=mine.has_voted),
        **figures,
        wanted=_wanted(competition) or mine.choice,
        manages=policy.can_manage(person, competition),
        names=corrections.names_of([competition]),
        now=datetime.now(UTC),
    )


def _figures(
    services: Services, person: Person | None, competition: Competition, mine: StoredVote
) -> tuple[Competition, dict[str, object]]:
    """Return the rules and the figures that this person may see, read together unless they are final. `over` has the
    gaps that a tally is final over.
    """
    final = services.competition_cache.final(competition) if competition.state == "closed" else None
    if final is not None:
        return competition, {"tally": final.tally, "waiting": None, "over": final.over}
    with services.db.read() as tx:
        competition = policy.check_see(person, competitions.find(tx, competition.id))
        may_see = policy.can_see_results(person, competition, has_voted=mine.has_voted)
        tally = tallies.read(tx, [competition.id]).get(competition.id) if may_see else None
        waiting = pending_ballots.waiting(services, tx, competition)
        over = gaps.summary_of(tx, competition) if competition.state in ("closing", "closed", "archived") else None
    return competition, {"tally": tally, "waiting": waiting, "over": over}


def _receipt(code: str) -> str:
    if not receipt_checks.SHAPE.fullmatch(code):
        return "misshapen"
    try:
        return receipt_checks.status_of(request_context.services(), code)
    except NotFound:
        return "missing"
    except Unavailable:
        return "unknown"


def _wanted(competition: Competition) -> str | None:
    """Return the option in the URL: the choice that a voter made before logging in."""
    key = request.args.get("choice", "")
    return key if any(option.key == key for option in competition.options) else None


def _in_state(found: Iterable[Competition], state: str) -> list[Competition]:
    return [one for one in found if one.state == state]
