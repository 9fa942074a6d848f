"""The API for gaps in the ballot log and uncounted ballots. `managed_competitions.py` decides on a single tally."""

from flask import Blueprint, Response

from vote.actions import closing
from vote.db import gaps, quarantine
from vote.web import request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.api import paging
from vote.web.api.gap_models import Decision, GapList, RejectedEntries, SetAside, UnmatchedBallots
from vote.web.api.operations import Operation, answer, nothing

gaps_api = Blueprint("gaps_api", __name__, url_prefix="/api/admin")

LATEST = 100  # as the document says


@gaps_api.get("/gaps")
@rule(ADMIN)
@Operation(tag="administration", answers={200: GapList}, problems=(422,), query=paging.QUERY)
def listed() -> Response:
    """List gaps in the ballot log.

    The first page has all that wait for a decision. Decided ones follow, newest first.
    """
    after = paging.after()
    with request_context.services().db.read() as tx:
        found, following = gaps.listed(tx, after=after)
    return answer(GapList(gaps=found, next=following))


@gaps_api.post("/gaps/<id:gap_id>/decide")
@rule(ADMIN)
@Operation(tag="administration", body=Decision, answers={204: None})
def decide(gap_id: int) -> Response:
    """Decide on a gap.

    Releases the results held by this gap. 404: there is no such gap, or it is already decided.
    """
    closing.decide_gap(
        request_context.services().db, gap_id, by=request_context.me().person, reason=validation.read(Decision).reason
    )
    return nothing()


@gaps_api.get("/set-aside")
@rule(ADMIN)
@Operation(tag="administration", answers={200: SetAside})
def aside() -> Response:
    """List ballots that are set aside.

    Counts unmatched ballots and rejected entries, and lists the latest 100 of each.
    """
    with request_context.services().db.read() as tx:
        counts = quarantine.counts(tx)
        unmatched = quarantine.latest_unmatched(tx, limit=LATEST)
        rejected = quarantine.latest_rejected(tx, limit=LATEST)
    return answer(
        SetAside(
            unmatched=UnmatchedBallots(count=counts.unmatched, latest=unmatched),
            rejected=RejectedEntries(count=counts.rejected, latest=rejected),
        )
    )
