"""Gaps in the ballot log and what is set aside, by API. Deciding that one tally stands over them is in `admin_api.py`."""

from flask import Blueprint, Response

from vote.actions import closing
from vote.db import gaps, quarantine
from vote.web import request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.api import paging
from vote.web.api.gap_models import (
    Decision,
    GapList,
    GapOut,
    RejectedEntries,
    RejectedOut,
    SetAside,
    UnmatchedBallots,
    UnmatchedOut,
)
from vote.web.api.operations import Operation, answer, describe, nothing

gaps_api = Blueprint("gaps_api", __name__, url_prefix="/api/admin")

LATEST = 100


@gaps_api.get("/gaps")
@rule(ADMIN)
@describe(
    Operation(
        summary="List gaps in the ballot log",
        tag="administration",
        answers={200: GapList},
        problems=(422,),
        query=paging.QUERY,
        description="The first page has all that wait for a decision. Decided ones follow, newest first.",
    )
)
def listed() -> Response:
    """Open and decided ones."""
    after = paging.after()
    with request_context.services().db.read() as tx:
        found, following = gaps.listed(tx, after=after)
    return answer(GapList(gaps=[GapOut.model_validate(gap) for gap in found], next=following))


@gaps_api.post("/gaps/<id:gap_id>/decide")
@rule(ADMIN)
@describe(
    Operation(
        summary="Decide on a gap",
        tag="administration",
        body=Decision,
        answers={204: None},
        description="Releases the results held by this gap. 404: there is no such gap, or it is already decided.",
    )
)
def decide(gap_id: int) -> Response:
    """It is decided on."""
    closing.decide_gap(
        request_context.services().db, gap_id, by=request_context.me().person, reason=validation.read(Decision).reason
    )
    return nothing()


@gaps_api.get("/set-aside")
@rule(ADMIN)
@describe(
    Operation(
        summary="List ballots that are set aside",
        tag="administration",
        answers={200: SetAside},
        description=f"Counts unmatched ballots and rejected entries, and lists the latest {LATEST} of each.",
    )
)
def aside() -> Response:
    """What was accepted and is not counted."""
    with request_context.services().db.read() as tx:
        counts = quarantine.counts(tx)
        unmatched = quarantine.latest_unmatched(tx, limit=LATEST)
        rejected = quarantine.latest_rejected(tx, limit=LATEST)
    return answer(
        SetAside(
            unmatched=UnmatchedBallots(
                count=counts.unmatched, latest=[UnmatchedOut.model_validate(one) for one in unmatched]
            ),
            rejected=RejectedEntries(
                count=counts.rejected, latest=[RejectedOut.model_validate(one) for one in rejected]
            ),
        )
    )
