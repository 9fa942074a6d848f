"""Running competitions by API. What an organiser may do to which is decided in the actions and in `domain/policy.py`."""

from flask import Blueprint, Response, request

from vote.actions import closing, reinstatement
from vote.actions import competitions as actions
from vote.db import competition_lists
from vote.domain.competition import Competition
from vote.web import request_context, validation
from vote.web.access import ADMIN, ORGANISER, rule
from vote.web.api import if_match, paging
from vote.web.api.account_models import Nothing
from vote.web.api.competition_models import (
    CompetitionChange,
    ManagedCompetition,
    ManagedList,
    NewCompetition,
    with_other_labels,
)
from vote.web.api.gap_models import Decision, Reinstated, ShownCompetition, WaitingFor
from vote.web.api.operations import Operation, answer, describe, nothing
from vote.web.managed_competition import find_managed
from vote.web.pages import corrections, pending_ballots
from vote.web.pages.pending_ballots import Waiting

admin_api = Blueprint("admin_api", __name__, url_prefix="/api/admin/competitions")

IF_MATCH = {"If-Match": "The ETag you read, or *."}
ETAG = {"ETag": "Identifies this revision. Send it back as If-Match."}


@admin_api.get("")
@rule(ORGANISER)
@describe(
    Operation(
        summary="List competitions I manage",
        tag="administration",
        answers={200: ManagedList},
        problems=(422,),
        query=paging.QUERY,
        description="Admins manage all. Newest first, in pages; the first page has all that are not closed.",
    )
)
def listed() -> Response:
    """A page of them."""
    person, after = request_context.me().person, paging.after()
    with request_context.services().db.read() as tx:
        found, following = competition_lists.managed(tx, None if person.role == "admin" else person.id, after=after)
    names = corrections.names_of(found)
    return answer(
        ManagedList(competitions=[ManagedCompetition.from_competition(one, names) for one in found], next=following)
    )


@admin_api.post("")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Create a competition",
        tag="administration",
        body=NewCompetition,
        answers={201: ManagedCompetition},
        description="Voting starts at once, unless opens_at is in the future or it is a draft.",
        response_headers={"Location": "The address of the competition.", **ETAG},
    )
)
def create() -> Response:
    """A new competition."""
    wanted, services = validation.read(NewCompetition), request_context.services()
    made = actions.create(
        services.db,
        services.log,
        by=request_context.me().person,
        name=wanted.name,
        options=wanted.options,
        description=wanted.description,
        opens_at=wanted.opens_at,
        closes_at=wanted.closes_at,
        allow_change=wanted.allow_change,
        results_visibility=wanted.results_visibility,
        draft=wanted.draft,
    )
    response = _tell(made, 201)
    response.headers["Location"] = f"/api/competitions/{made.id}"
    return response


@admin_api.get("/<id:competition_id>")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Show a competition I manage",
        tag="administration",
        answers={200: ShownCompetition},
        description="While closing, it says what it waits for: ballots being counted, or an admin's decision.",
        response_headers=ETAG,
    )
)
def show(competition_id: int) -> Response:
    """One that who is asking runs."""
    competition, services = _managed(competition_id), request_context.services()
    with services.db.read() as tx:
        waiting = pending_ballots.waiting(services, tx, competition)
    shown = ManagedCompetition.from_competition(competition, corrections.names_of([competition])).model_dump()
    told = ShownCompetition(**shown, waiting_for=_waiting_for(waiting))
    return answer(told, headers={"ETag": competition.etag})


@admin_api.patch("/<id:competition_id>")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Change a competition",
        tag="administration",
        body=CompetitionChange,
        answers={200: ManagedCompetition},
        problems=(400, 409, 412, 428),
        description=(
            "Options and rules are fixed once voting has started. Once someone has voted, name and description are too."
            " While voting is open, correct a typo in name, description or a label with `correction`; all see old and new."
        ),
        request_headers=IF_MATCH,
        response_headers=ETAG,
    )
)
def change(competition_id: int) -> Response:
    """The fields that were sent take their new value."""
    competition, services = _managed(competition_id), request_context.services()
    wanted = validation.check(CompetitionChange, with_other_labels(validation.fields(CompetitionChange), competition))
    version = _check_if_match(competition)  # RFC 9110 §13.2.1: after what would be wrong with any version
    changed = actions.change(
        services.db,
        services.log,
        competition_id,
        by=request_context.me().person,
        if_match=version,
        correction=wanted.correction,
        **wanted.changes(),
    )
    return _tell(changed)


@admin_api.delete("/<id:competition_id>")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Delete a competition",
        tag="administration",
        answers={204: None},
        problems=(400, 409, 412, 428, 503),
        description="Deletes it for good. 409: a ballot was accepted, so archive it instead. 503: this cannot be checked.",
        request_headers=IF_MATCH,
    )
)
def delete(competition_id: int) -> Response:
    """It is gone for everybody."""
    version = _check_if_match(_managed(competition_id))
    services = request_context.services()
    actions.delete(services.db, services.log, competition_id, by=request_context.me().person, if_match=version)
    return nothing()


@admin_api.post("/<id:competition_id>/archive")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Archive a competition",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: ManagedCompetition},
        problems=(409,),
        description="Hides a closed one from all but its organiser and admins. Receipts can still be checked. Idempotent.",
        response_headers=ETAG,
    )
)
def archive(competition_id: int) -> Response:
    """It is archived."""
    services = request_context.services()
    validation.read(Nothing)
    return _tell(actions.archive(services.db, services.log, competition_id, by=request_context.me().person))


@admin_api.post("/<id:competition_id>/open")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Open voting",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: ManagedCompetition},
        problems=(409,),
        description="Opens voting now, or reopens it. Idempotent.",
        response_headers=ETAG,
    )
)
def open_voting(competition_id: int) -> Response:
    """It is open."""
    services = request_context.services()
    validation.read(Nothing)
    return _tell(actions.open_voting(services.db, services.log, competition_id, by=request_context.me().person))


@admin_api.post("/<id:competition_id>/close")
@rule(ORGANISER)
@describe(
    Operation(
        summary="Close voting",
        tag="administration",
        body=Nothing,
        body_optional=True,
        answers={200: ManagedCompetition, 202: ManagedCompetition},
        problems=(409,),
        description="202: closing, accepted ballots are still being recorded. 200: closed, the result is final.",
        response_headers=ETAG,
    )
)
def close_voting(competition_id: int) -> Response:
    """It takes no more ballots; final when those accepted before are recorded."""
    services = request_context.services()
    validation.read(Nothing)
    closed = actions.close_voting(services.db, services.log, competition_id, by=request_context.me().person)
    return _tell(closed, 200 if closed.state == "closed" else 202)


@admin_api.post("/<id:competition_id>/finish")
@rule(ADMIN)
@describe(
    Operation(
        summary="Make a result final despite gaps",
        tag="administration",
        body=Decision,
        answers={200: ManagedCompetition},
        problems=(409,),
        description=(
            "Decides that the result stands despite gaps or ballots set aside. 409: ballots are still being recorded, or no"
            " decision is needed."
        ),
        response_headers=ETAG,
    )
)
def finish(competition_id: int) -> Response:
    """It is closed, and the decision is kept."""
    reason = validation.read(Decision).reason
    _managed(competition_id)
    return _tell(
        closing.finish_over(
            request_context.services().db, competition_id, by=request_context.me().person, reason=reason
        )
    )


@admin_api.post("/<id:competition_id>/reinstate")
@rule(ADMIN)
@describe(
    Operation(
        summary="Count ballots that were set aside",
        tag="administration",
        body=Decision,
        answers={202: Reinstated},
        problems=(409,),
        description=(
            "Counts its unmatched ballots whose voter and option are known again and whose voter has no recorded vote, in a"
            " final result too. A worker records them within a second or two. 409: none can be counted."
        ),
    )
)
def reinstate(competition_id: int) -> Response:
    """Those that match are recorded soon."""
    reason = validation.read(Decision).reason
    _managed(competition_id)
    matching = reinstatement.ask(
        request_context.services().db, competition_id, by=request_context.me().person, reason=reason
    )
    return answer(Reinstated(ballots=matching), 202)


def _managed(competition_id: int) -> Competition:
    with request_context.services().db.read() as tx:
        return find_managed(tx, competition_id)


def _check_if_match(competition: Competition) -> str:
    return if_match.check(request.headers.get("If-Match"), competition.etag)


def _waiting_for(waiting: Waiting | None) -> WaitingFor | None:
    if waiting is None:
        return None
    return WaitingFor(
        pending=None if waiting.pending is None else waiting.pending.ballots,
        gaps=[gap.id for gap in waiting.gaps],
        unmatched=waiting.unmatched,
    )


def _tell(competition: Competition, status: int = 200) -> Response:
    told = ManagedCompetition.from_competition(competition, corrections.names_of([competition]))
    return answer(told, status, headers={"ETag": competition.etag})
