"""Forms that open, close, reopen, schedule, archive, delete or finish a competition.

A step that voters feel is asked about once, on a page of its own that says what will happen (`lifecycle.py`).
"""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import closing
from vote.db import tallies
from vote.errors import Conflict, InvalidInput
from vote.server import problems
from vote.web import access, idempotency, request_context, validation
from vote.web.access import ADMIN, ORGANISER
from vote.web.api.gap_models import Decision
from vote.web.dashboard.competition_form import Typed
from vote.web.dashboard.competition_page import sentence_of, show_again
from vote.web.dashboard.lifecycle import CAN_BE_REOPENED, STEPS, LifecycleStep
from vote.web.managed_competition import find_managed
from vote.web.pages import pending_ballots

lifecycle_forms = Blueprint("lifecycle_forms", __name__, url_prefix="/admin/competitions/<id:competition_id>")


@lifecycle_forms.get("/<any(open, close, schedule, reopen, archive, delete):name>")
@access.rule(ORGANISER)
def ask(competition_id: int, name: str) -> AnyResponse:
    """Say what a step will do, and ask once."""
    with request_context.services().db.read() as tx:
        competition = find_managed(tx, competition_id)
        votes = tallies.read(tx, [competition_id])[competition_id].total
    step = STEPS[name]
    if not step.fits(competition):
        return redirect(f"/admin/competitions/{competition_id}", 303)
    return Response(render_template("dashboard-step.html", competition=competition, step=step, votes=votes))


@lifecycle_forms.post("/<any(open, close, schedule, reopen, archive, delete):name>")
@access.rule(ORGANISER)
def take(competition_id: int, name: str) -> AnyResponse:
    """Take the step that was asked about."""
    step: LifecycleStep = STEPS[name]
    here = "" if name == "delete" else "/competitions/{id}"
    once = idempotency.claim(f"/admin{here}?done={name}", about=competition_id)
    try:
        step.take(request_context.services(), competition_id, request_context.me().person, once)
    except (Conflict, InvalidInput) as error:
        with request_context.services().db.read() as tx:
            typed = Typed.from_competition(find_managed(tx, competition_id))
        return show_again(competition_id, typed, {}, sentence_of(error), problems.status_of(error))
    return redirect(once.address, 303)


@lifecycle_forms.get("/finish")
@access.rule(ADMIN)
def ask_to_finish(competition_id: int) -> AnyResponse:
    """The form stands on the competition's own page."""
    return redirect(f"/admin/competitions/{competition_id}#waits", 303)


@lifecycle_forms.post("/finish")
@access.rule(ADMIN)
def finish(competition_id: int) -> AnyResponse:
    """An admin's word that the result stands over a gap: first it is asked about, with the reason, then it is taken."""
    services, reason = request_context.services(), request.form.get("reason", "")
    once = idempotency.claim("/admin/competitions/{id}?done=finish", about=competition_id)
    with services.db.read() as tx:
        competition = find_managed(tx, competition_id)
        votes = tallies.read(tx, [competition_id])[competition_id].total
        waiting = pending_ballots.waiting(services, tx, competition)
    try:
        reason = validation.check(Decision, {"reason": reason}).reason
        if "sure" not in request.form:
            if waiting is None or not waiting.needs_admin_decision:
                raise Conflict(closing.NOTHING_TO_DECIDE)
            page = render_template(
                "dashboard-finish.html",
                competition=competition,
                votes=votes,
                waiting=waiting,
                reason=reason,
                can_be_reopened=CAN_BE_REOPENED,
            )
            return Response(page)
        closing.finish_over(services.db, competition_id, by=request_context.me().person, reason=reason, once=once)
    except InvalidInput as error:
        return show_again(
            competition_id,
            Typed.from_competition(competition),
            {"word": error.fields["reason"]},
            None,
            422,
            word=reason,
        )
    except Conflict as error:
        return show_again(
            competition_id, Typed.from_competition(competition), {}, error.detail, problems.status_of(error)
        )
    return redirect(once.address, 303)
