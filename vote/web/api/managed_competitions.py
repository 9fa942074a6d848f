"""The API for managing competitions. The actions and `domain/policy.py` decide who may do what."""

from flask import Blueprint, Response, request

from vote.actions import closing, reinstatement
from vote.actions import competitions as actions
from vote.db import competition_lists
from vote.domain.competition import Competition
from vote.web import request_context, validation
from vote.web.access import ADMIN, ORGANISER, rule
from vote.web.api import if_match, paging
from vote.web.api.competition_models import (
    CompetitionChange,
    ManagedCompetition,
    ManagedList,
    NewCompetition,
    with_other_labels,
)
from vote.web.api.gap_models import Decision, Reinstated, ShownCompetition, WaitingFor
from vote.web.api.models import Nothing
from vote.web.api.operations import Operation, answer, nothing
from vote.web.managed_competition import find_managed
from vote.web.pages import corrections, pending_ballots
from vote.web.pages.pending_ballots import Waiting

admin_api = Blueprint("admin_api", __name__, url_prefix="/api/admin/competitions")

IF_MATCH = {"If-Match": "The ETag you read, or *."}
ETAG = {"ETag": "Identifies this revision. Send it back as If-Match."}


@admin_api.get("")
@rule(ORGANISER)
@Operation(tag="administration", answers={200: ManagedList}, problems=(422,), query=paging.QUERY)
def listed() -> Response:
    """List competitions I manage.

    Admins manage all. Newest first, in pages; the first page has all that are not closed.
    """
    person, after = request_context.me().person, paging.after()
    with request_context.services().db.read() as tx:
        found, following = competition_lists.managed(tx, None if person.role == "admin" else person.id, after=after)
    names = corrections.names_of(found)
    return answer(
        ManagedList(competitions=[ManagedCompetition.from_competition(one, names) for one in found], next=following)
    )


@admin_api.post("")
@rule(ORGANISER)
@Operation(
    tag="administration",
    body=NewCompetition,
    answers={201: ManagedCompetition},
    response_headers={"Location": "The address of the competition.", **ETAG},
)
def create() -> Response:
    """Create a competition.

    Voting starts at once, unless opens_at is in the future or it is a draft.
    """
    wanted, services = validation.read(NewCompetition), request_context.services()
    made = actions.create(services.db, services.log, by=request_context.me().person, **wanted.model_dump())
    response = _answer(made, 201)
    response.headers["Location"] = f"/api/competitions/{made.id}"
    return response


@admin_api.get("/<id:competition_id>")
@rule(ORGANISER)
@Operation(tag="administration", answers={200: ShownCompetition}, response_headers=ETAG)
def show(competition_id: int) -> Response:
    """Show a competition I manage.

    While closing, it says what it waits for: ballots being counted, or an admin's decision.
    """
    competition, services = _managed(competition_id), request_context.services()
    with services.db.read() as tx:
        waiting = pending_ballots.waiting(services, tx, competition)
    names = corrections.names_of([competition])
    shown = ShownCompetition.from_competition(competition, names, waiting_for=_waiting_for(waiting))
    return answer(shown, headers={"ETag": competition.etag})


@admin_api.patch("/<id:competition_id>")
@rule(ORGANISER)
@Operation(
    tag="administration",
    body=CompetitionChange,
    answers={200: ManagedCompetition},
    problems=(400, 409, 412, 428),
    request_headers=IF_MATCH,
    response_headers=ETAG,
)
def change(competition_id: int) -> Response:
    """Change a competition.

    Options and rules are fixed once voting has started. Once someone has voted, name and description are too. While
    voting is open, correct a typo in name, description or a label with `correction`; all see old and new.
    """
    competition, services = _managed(competition_id), request_context.services()
    wanted = validation.check(CompetitionChange, with_other_labels(validation.fields(CompetitionChange), competition))
    version = _check_if_match(competition)  # RFC 9110 §13.2.1: after the checks that do not depend on the version
    changed = actions.change(
        services.db,
        services.log,
        competition_id,
        by=request_context.me().person,
        if_match=version,
        correction=wanted.correction,
        **wanted.changes(),
    )
    return _answer(changed)


@admin_api.delete("/<id:competition_id>")
@rule(ORGANISER)
@Operation(tag="administration", answers={204: None}, problems=(400, 409, 412, 428, 503), request_headers=IF_MATCH)
def delete(competition_id: int) -> Response:
    """Delete a competition.

    Deletes it for good. 409: a ballot was accepted, so archive it instead. 503: this cannot be checked.
    """
    version = _check_if_match(_managed(competition_id))
    services = request_context.services()
    actions.delete(services.db, services.log, competition_id, by=request_context.me().person, if_match=version)
    return nothing()


@admin_api.post("/<id:competition_id>/archive")
@rule(ORGANISER)
@Operation(
    tag="administration", body=Nothing, answers={200: ManagedCompetition}, problems=(409,), response_headers=ETAG
)
def archive(competition_id: int) -> Response:
    """Archive a competition.

    Hides a closed one from all but its organiser and admins. Receipts can still be checked. Idempotent.
    """
    services = request_context.services()
    validation.read(Nothing)
    return _answer(actions.archive(services.db, services.log, competition_id, by=request_context.me().person))


@admin_api.post("/<id:competition_id>/open")
@rule(ORGANISER)
@Operation(
    tag="administration", body=Nothing, answers={200: ManagedCompetition}, problems=(409,), response_headers=ETAG
)
def open_voting(competition_id: int) -> Response:
    """Open voting.

    Opens voting now, or reopens it: until VOTE_LOG_KEEP_HOURS (72) after the close. Idempotent.
    """
    services, by = request_context.services(), request_context.me().person
    validation.read(Nothing)
    keep_hours = services.settings.vote_log_keep_hours
    return _answer(actions.open_voting(services.db, services.log, competition_id, by=by, keep_hours=keep_hours))


@admin_api.post("/<id:competition_id>/close")
@rule(ORGANISER)
@Operation(
    tag="administration",
    body=Nothing,
    answers={200: ManagedCompetition, 202: ManagedCompetition},
    problems=(409,),
    response_headers=ETAG,
)
def close_voting(competition_id: int) -> Response:
    """Close voting.

    202: closing, accepted ballots are still being recorded. 200: closed, the result is final.
    """
    services = request_context.services()
    validation.read(Nothing)
    closed = actions.close_voting(services.db, services.log, competition_id, by=request_context.me().person)
    return _answer(closed, 200 if closed.state == "closed" else 202)


@admin_api.post("/<id:competition_id>/finish")
@rule(ADMIN)
@Operation(
    tag="administration", body=Decision, answers={200: ManagedCompetition}, problems=(409,), response_headers=ETAG
)
def finish(competition_id: int) -> Response:
    """Make a result final despite gaps.

    Decides that the result stands despite gaps or ballots set aside. 409: ballots are still being recorded, or no
    decision is needed.
    """
    reason = validation.read(Decision).reason
    db, by = request_context.services().db, request_context.me().person
    return _answer(closing.finish_over(db, competition_id, by=by, reason=reason))


@admin_api.post("/<id:competition_id>/reinstate")
@rule(ADMIN)
@Operation(tag="administration", body=Decision, answers={202: Reinstated}, problems=(409,))
def reinstate(competition_id: int) -> Response:
    """Count ballots that were set aside.

    Counts its unmatched ballots whose voter and option are known again and whose voter has no recorded vote, in a final
    result too. A worker records them within a second or two. 409: none can be counted.
    """
    reason = validation.read(Decision).reason
    db, by = request_context.services().db, request_context.me().person
    matching = reinstatement.ask(db, competition_id, by=by, reason=reason)
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


def _answer(competition: Competition, status: int = 200) -> Response:
    managed = ManagedCompetition.from_competition(competition, corrections.names_of([competition]))
    return answer(managed, status, headers={"ETag": competition.etag})
