"""The organiser's desk: pages and forms that do what the admin API does, through the same actions.

A step that voters feel is asked about once, on a page of its own that says what will happen (`desk_steps.py`). A form
that was overtaken by another change loses nothing: what was typed stays, what is stored stands beside it.
"""

from collections.abc import Mapping

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import closing
from vote.actions import competitions as actions
from vote.db import account_locks, audit, ballots, competition_lists, gaps, quarantine, tallies
from vote.db.pool import Tx
from vote.domain.competition import Competition, State
from vote.errors import Conflict, InvalidInput, StaleVersion, VoteError
from vote.server import problems
from vote.web import access, idempotency, request_context, validation
from vote.web.access import ADMIN, ORGANISER
from vote.web.api import paging
from vote.web.api.gap_models import Decision
from vote.web.dashboard import competition_form
from vote.web.dashboard.competition_form import Typed
from vote.web.dashboard.lifecycle import STEPS, Step, steps_of
from vote.web.managed_competition import find_managed
from vote.web.pages import corrections, pending_ballots
from vote.web.pages.pending_ballots import Pending

desk = Blueprint("desk", __name__, url_prefix="/admin")

DONE = {
    "created": "The competition is made.",
    "saved": "Saved.",
    "same": "Nothing was different, so nothing was changed.",
    "corrected": "Corrected. Everyone sees the old and the new words.",
    "delete": "The vote is deleted.",
}
# True in these states only: whoever loads the page again later still has the step in its address.
DONE_IN: Mapping[str, Mapping[State, str]] = {
    **{step.name: step.done for step in STEPS.values()},
    "finish": {"closed": "The result is final. Your decision and its reason stand below."},
}
NO_WORD = "Nothing is to be decided now: the result becomes final by itself once all ballots are recorded."
OVERTAKEN = (
    "Somebody changed this competition while you were typing. Nothing of yours is lost: where your text differs from what"
    " is stored now, the stored one stands beside it. Save again to put yours in its place."
)


@desk.get("")
@access.rule(ORGANISER)
def show() -> str:
    """What somebody runs, with the figures that matter tonight."""
    me, parts, after = request_context.me(), request_context.parts(), paging.after()
    with parts.db.read() as tx:
        found, following = competition_lists.managed(tx, None if me.role == "admin" else me.id, after=after)
        counts = tallies.read(tx, [one.id for one in found])
        page = render_template(
            "desk.html",
            found=found,
            after=after,
            next=following,
            counts=counts,
            pending=pending_ballots.ballots(parts, tx),
            waits={one.id for one in found if one.state == "closing" and closing.hindrance(tx, one).needs_a_word},
            open_gaps=gaps.count_open(tx) if me.role == "admin" else 0,
            had_gaps=me.role == "admin" and gaps.were_there(tx),
            aside=quarantine.counts(tx).total if me.role == "admin" else 0,
            locked=account_locks.count(tx) if me.role == "admin" else 0,
            steps_of=steps_of,
            done=_done("archived"),
        )
    return page


@desk.get("/competitions/new")
@access.rule(ORGANISER)
def new() -> str:
    """An empty form."""
    return render_template("desk-new.html", typed=Typed(), errors={})


@desk.post("/competitions")
@access.rule(ORGANISER)
def create() -> AnyResponse:
    """A new competition, or the form again with what is missing."""
    parts, typed = request_context.parts(), Typed.read(request.form)
    if "more" in request.form:
        return Response(render_template("desk-new.html", typed=typed.with_more_options(), errors={}))
    once = idempotency.claim("/admin/competitions/{id}?done=created")
    try:
        wanted = competition_form.new(typed)
        actions.create(parts.db, parts.log, by=request_context.me().person, once=once, **wanted.model_dump())
    except InvalidInput as error:
        page = render_template("desk-new.html", typed=typed, errors=error.fields)
        return Response(page, problems.status_of(error))
    return redirect(once.address, 303)


@desk.get("/competitions/<id:competition_id>")
@access.rule(ORGANISER)
def edit(competition_id: int) -> str:
    """One competition: where it stands, what can be done now, its form, and what was done to it."""
    with request_context.parts().db.read() as tx:
        competition = find_managed(tx, competition_id)
        return _page(tx, competition, Typed.of(competition))


@desk.post("/competitions/<id:competition_id>")
@access.rule(ORGANISER)
def change(competition_id: int) -> AnyResponse:
    """Change what the form says is different."""
    parts, typed = request_context.parts(), Typed.read(request.form)
    with parts.db.read() as tx:
        before = find_managed(tx, competition_id)
    if "more" in request.form:
        return _again(competition_id, typed.with_more_options(), {}, None, 200)
    if_match = request.form.get("if_match", "")
    try:
        fields = competition_form.changes(typed, before)
        done = "saved" if fields else "same"
        once = idempotency.claim(f"/admin/competitions/{{id}}?done={done}", about=competition_id)
        if fields:
            person = request_context.me().person
            actions.change(parts.db, parts.log, competition_id, by=person, if_match=if_match, once=once, **fields)
        else:
            once.note(parts.db)
    except StaleVersion as error:
        return _again(competition_id, typed, {}, OVERTAKEN, problems.status_of(error))
    except InvalidInput as error:
        return _again(competition_id, typed, error.fields, None, problems.status_of(error))
    except Conflict as error:
        return _again(competition_id, typed, {}, error.detail, problems.status_of(error))
    return redirect(once.address, 303)


@desk.post("/competitions/<id:competition_id>/correct")
@access.rule(ORGANISER)
def correct(competition_id: int) -> AnyResponse:
    """Correct words while people vote; old and new are shown to everybody."""
    parts, corrected = request_context.parts(), competition_form.corrected(request.form)
    with parts.db.read() as tx:
        before = find_managed(tx, competition_id)
    try:
        fields = competition_form.corrections(corrected, before)
        done = "corrected" if fields else "same"
        once = idempotency.claim(f"/admin/competitions/{{id}}?done={done}#corrections", about=competition_id)
        if fields:
            person, if_match = request_context.me().person, request.form.get("if_match", "")
            actions.change(
                parts.db, parts.log, competition_id, by=person, if_match=if_match, correction=True, once=once, **fields
            )
        else:
            once.note(parts.db)
    except (StaleVersion, InvalidInput, Conflict) as error:
        errors = error.fields if isinstance(error, InvalidInput) else {}
        message = None if errors else OVERTAKEN if isinstance(error, StaleVersion) else error.detail
        status = problems.status_of(error)
        return _again(competition_id, Typed.of(before), errors, message, status, corrected=corrected)
    return redirect(once.address, 303)


@desk.get("/competitions/<id:competition_id>/<any(open, close, schedule, reopen, archive, delete):name>")
@access.rule(ORGANISER)
def ask(competition_id: int, name: str) -> AnyResponse:
    """Say what a step will do, and ask once."""
    with request_context.parts().db.read() as tx:
        competition = find_managed(tx, competition_id)
        votes = tallies.read(tx, [competition_id])[competition_id].total
    step = STEPS[name]
    if not step.fits(competition):
        return redirect(f"/admin/competitions/{competition_id}", 303)
    return Response(render_template("desk-step.html", competition=competition, step=step, votes=votes))


@desk.post("/competitions/<id:competition_id>/<any(open, close, schedule, reopen, archive, delete):name>")
@access.rule(ORGANISER)
def take(competition_id: int, name: str) -> AnyResponse:
    """Take the step that was asked about."""
    step: Step = STEPS[name]
    here = "" if name == "delete" else "/competitions/{id}"
    once = idempotency.claim(f"/admin{here}?done={name}", about=competition_id)
    try:
        step.take(request_context.parts(), competition_id, request_context.me().person, once)
    except (Conflict, InvalidInput) as error:
        with request_context.parts().db.read() as tx:
            typed = Typed.of(find_managed(tx, competition_id))
        return _again(competition_id, typed, {}, _sentence(error), problems.status_of(error))
    return redirect(once.address, 303)


@desk.get("/competitions/<id:competition_id>/finish")
@access.rule(ADMIN)
def ask_to_finish(competition_id: int) -> AnyResponse:
    """The form stands on the competition's own page."""
    return redirect(f"/admin/competitions/{competition_id}#waits", 303)


@desk.post("/competitions/<id:competition_id>/finish")
@access.rule(ADMIN)
def finish(competition_id: int) -> AnyResponse:
    """An admin's word that the result stands over a gap: first it is asked about, with the reason, then it is taken."""
    parts, reason = request_context.parts(), request.form.get("reason", "")
    once = idempotency.claim("/admin/competitions/{id}?done=finish", about=competition_id)
    with parts.db.read() as tx:
        competition = find_managed(tx, competition_id)
        votes = tallies.read(tx, [competition_id])[competition_id].total
        waiting = pending_ballots.waiting(parts, tx, competition)
    try:
        reason = validation.check(Decision, {"reason": reason}).reason
        if "sure" not in request.form:
            if waiting is None or not waiting.needs_a_word:
                raise Conflict(NO_WORD)
            page = render_template(
                "desk-finish.html", competition=competition, votes=votes, waiting=waiting, reason=reason
            )
            return Response(page)
        closing.finish_over(parts.db, competition_id, by=request_context.me().person, reason=reason, once=once)
    except InvalidInput as error:
        return _again(competition_id, Typed.of(competition), {"word": error.fields["reason"]}, None, 422, word=reason)
    except Conflict as error:
        return _again(competition_id, Typed.of(competition), {}, error.detail, problems.status_of(error))
    return redirect(once.address, 303)


def _again(
    competition_id: int,
    typed: Typed,
    errors: dict[str, str],
    message: str | None,
    status: int,
    *,
    word: str = "",
    corrected: Mapping[str, str] | None = None,
) -> Response:
    with request_context.parts().db.read() as tx:
        found = find_managed(tx, competition_id)
        page = _page(tx, found, typed, errors=errors, message=message, word=word, corrected=corrected)
    return Response(page, status)


def _page(
    tx: Tx,
    competition: Competition,
    typed: Typed,
    *,
    errors: dict[str, str] | None = None,
    message: str | None = None,
    word: str = "",
    corrected: Mapping[str, str] | None = None,
) -> str:
    parts = request_context.parts()
    waiting = pending_ballots.waiting(parts, tx, competition)
    on_the_way = waiting.pending if waiting else pending_ballots.ballots(parts, tx, competition.id)
    may_have_ballots = _may_have_ballots(tx, competition, on_the_way)
    return render_template(
        "desk-competition.html",
        competition=competition,
        typed=competition_form.with_fixed(typed, competition),
        stored=competition_form.stored_instead(typed, competition) if message and not typed.is_fresh else {},
        fixed=competition_form.fixed_fields(competition, has_ballots=may_have_ballots),
        corrected=corrected or competition_form.words_of(competition),
        names=corrections.names_of([competition]),
        tally=tallies.read(tx, [competition.id])[competition.id],
        pending=on_the_way,
        waiting=waiting,
        word=word,
        steps=[step for step in steps_of(competition) if step.name != "delete" or not may_have_ballots],
        done_before=audit.of_competition(tx, competition.id, after=paging.after()),
        errors=errors or {},
        message=message,
        done=_done(competition.state),
    )


def _may_have_ballots(tx: Tx, competition: Competition, on_the_way: Pending | None) -> bool:
    """What the page offers; what is allowed is decided when it is asked for (`actions/competition_holds.py`)."""
    if competition.opened_at is None:
        return False
    recorded = ballots.may_have_ballots(tx, competition.id, since=competition.opened_at)
    return recorded or (on_the_way is not None and on_the_way.ballots > 0)


def _done(state: State) -> str | None:
    """What the last step did, if that is still so in this state."""
    name = request.args.get("done", "")
    return DONE.get(name) or DONE_IN.get(name, {}).get(state)


def _sentence(error: VoteError) -> str:
    return " ".join(error.fields.values()) if isinstance(error, InvalidInput) else error.detail
