"""Competitions and their results for API clients. Who may see which is decided in `domain/policy.py`."""

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from vote.db import competitions, tallies, votes
from vote.db.pool import Tx
from vote.domain import policy
from vote.domain.competition import Competition
from vote.errors import LogUnavailable, NoSuchCompetition
from vote.web import request_context
from vote.web.access import PUBLIC, rule
from vote.web.api import paging
from vote.web.api.competition_models import CompetitionList, CompetitionOut, Results
from vote.web.api.operations import Operation, answer, describe
from vote.web.pages import corrections

api = Blueprint("api", __name__, url_prefix="/api/competitions")


@api.get("")
@rule(PUBLIC)
@describe(
    Operation(
        summary="List competitions",
        tag="competitions",
        answers={200: CompetitionList},
        problems=(422,),
        query=paging.QUERY,
        description="Newest first, in pages. The first page has all that are open, scheduled or closing.",
    )
)
def listed() -> Response:
    """What anybody may find; drafts and archived ones are left out."""
    found, _, following = request_context.services().competition_cache.listing(paging.after())
    names = corrections.names_of(found)
    return answer(
        CompetitionList(competitions=[CompetitionOut.from_competition(one, names) for one in found], next=following)
    )


@api.get("/<id:competition_id>")
@rule(PUBLIC)
@describe(Operation(summary="Show a competition", tag="competitions", answers={200: CompetitionOut}))
def show(competition_id: int) -> Response:
    """One that who is asking may see."""
    found = policy.check_see(
        request_context.person(), request_context.services().competition_cache.competition(competition_id)
    )
    return answer(CompetitionOut.from_competition(found, corrections.names_of([found])))


@api.get("/<id:competition_id>/results")
@rule(PUBLIC)
@describe(
    Operation(
        summary="Show results",
        tag="competitions",
        answers={200: Results, 304: None},
        problems=(403,),
        description="Returns the tally to those who can see it now. 304: it is still the version in If-None-Match.",
        request_headers={"If-None-Match": "The ETag of the version you have."},
        response_headers={"ETag": "Identifies this version."},
    )
)
def results(competition_id: int) -> AnyResponse:
    """The snapshot; 304 when the client has this version."""
    with request_context.services().db.read() as tx:
        competition = policy.check_see(request_context.person(), competitions.find(tx, competition_id))
        policy.check_see_results(request_context.person(), competition, has_voted=_has_voted(tx, competition))
        tally = tallies.read(tx, [competition_id]).get(competition_id)
    if tally is None:
        raise NoSuchCompetition  # taken away between the two questions
    response = answer(Results.model_validate(tally.snapshot()), headers={"Cache-Control": "private, no-cache"})
    response.set_etag(f"{competition_id}-{tally.version}")
    return response.make_conditional(request)


def _has_voted(tx: Tx, competition: Competition) -> bool:
    """Only asked where it decides. A ballot that is accepted and not yet recorded counts; a log that is down does not."""
    person = request_context.person()
    if person is None or competition.results_visibility != "after_vote":
        return False
    if votes.choice_of(tx, competition.id, person.id) is not None:
        return True
    try:
        return request_context.services().log.stored_choice(competition.id, person.id) is not None
    except LogUnavailable:
        return False
