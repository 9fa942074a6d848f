"""The API for competitions and their results. `domain/policy.py` decides who may see which."""

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
from vote.web.api.operations import Operation, answer
from vote.web.pages import corrections

api = Blueprint("api", __name__, url_prefix="/api/competitions")


@api.get("")
@rule(PUBLIC)
@Operation(tag="competitions", answers={200: CompetitionList}, problems=(422,), query=paging.QUERY)
def listed() -> Response:
    """List competitions.

    Newest first, in pages. The first page has all that are open, scheduled or closing.
    """
    found, _, following = request_context.services().competition_cache.listing(paging.after())
    names = corrections.names_of(found)
    return answer(
        CompetitionList(competitions=[CompetitionOut.from_competition(one, names) for one in found], next=following)
    )


@api.get("/<id:competition_id>")
@rule(PUBLIC)
@Operation(tag="competitions", answers={200: CompetitionOut})
def show(competition_id: int) -> Response:
    """Show a competition."""
    found = policy.check_see(
        request_context.person(), request_context.services().competition_cache.competition(competition_id)
    )
    return answer(CompetitionOut.from_competition(found, corrections.names_of([found])))


@api.get("/<id:competition_id>/results")
@rule(PUBLIC)
@Operation(
    tag="competitions",
    answers={200: Results, 304: None},
    problems=(403,),
    request_headers={"If-None-Match": "The ETag of the version you have."},
    response_headers={"ETag": "Identifies this version."},
)
def results(competition_id: int) -> AnyResponse:
    """Show results.

    Returns the tally to those who can see it now. 304: it is still the version in If-None-Match.
    """
    with request_context.services().db.read() as tx:
        competition = policy.check_see(request_context.person(), competitions.find(tx, competition_id))
        policy.check_see_results(request_context.person(), competition, has_voted=_has_voted(tx, competition))
        tally = tallies.read(tx, [competition_id]).get(competition_id)
    if tally is None:
        raise NoSuchCompetition  # deleted between the two queries
    response = answer(Results.model_validate(tally.snapshot()), headers={"Cache-Control": "private, no-cache"})
    response.set_etag(f"{competition_id}-{tally.version}")
    return response.make_conditional(request)


def _has_voted(tx: Tx, competition: Competition) -> bool:
    """Return whether the person has voted, for rules that depend on it. An accepted ballot counts before it is
    recorded; while the log is down it does not.
    """
    person = request_context.person()
    if person is None or competition.results_visibility != "after_vote":
        return False
    if votes.choice_of(tx, competition.id, person.id) is not None:
        return True
    try:
        return request_context.services().log.stored_choice(competition.id, person.id) is not None
    except LogUnavailable:
        return False
