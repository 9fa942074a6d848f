"""Forms that open, close, reopen, schedule, archive, delete or finish a competition.

A step that affects voters asks for confirmation once, on a page that says what will happen (`lifecycle.py`).
"""

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import closing
from vote.db import tallies
from vote.errors import Conflict, InvalidInput
from vote.web import access, idempotency, request_context, validation
from vote.web.access import ADMIN, ORGANISER
from vote.web.api.gap_models import Decision
from vote.web.dashboard.competition_page import page
from vote.web.dashboard.lifecycle import CAN_BE_REOPENED, STEPS
from vote.web.managed_competition import find_managed
from vote.web.pages import pending_ballots

lifecycle_forms = Blueprint("lifecycle_forms", __name__, url_prefix="/admin/competitions/<id:competition_id>")

STEP_PATH = "/<any(open, close, schedule, reopen, archive, delete):name>"


@lifecycle_forms.get(STEP_PATH)
@access.rule(ORGANISER)
def ask(competition_id: int, name: str) -> AnyResponse | str:
    """Explain a step and ask for confirmation."""
    with request_context.services().db.read() as tx:
        competition = find_managed(tx, competition_id)
        votes = tallies.read(tx, [competition_id])[competition_id].total
    step = STEPS[name]
    if not step.fits(competition):
        return redirect(f"/admin/competitions/{competition_id}", 303)
    return render_template("dashboard-step.html", competition=competition, step=step, votes=votes)


@lifecycle_forms.post(STEP_PATH)
@access.rule(ORGANISER)
def take(competition_id: int, name: str) -> AnyResponse:
    """Take a confirmed step."""
    here = "" if name == "delete" else "/competitions/{id}"
    once = idempotency.claim(f"/admin{here}?done={name}", about=competition_id)
    try:
        STEPS[name].take(request_context.services(), competition_id, request_context.me().person, once)
    except InvalidInput as error:  # an error about fields of another form
        return page(competition_id, error=InvalidInput({}, " ".join(error.fields.values())))
    except Conflict as error:
        return page(competition_id, error=error)
    return redirect(once.address, 303)


@lifecycle_forms.get("/finish")
@access.rule(ADMIN)
def ask_to_finish(competition_id: int) -> AnyResponse:
    """Redirect to the competition's page, which has the form."""
    return redirect(f"/admin/competitions/{competition_id}#waits", 303)


@lifecycle_forms.post("/finish")
@access.rule(ADMIN)
def finish(competition_id: int) -> AnyResponse | str:
    """Make a result final despite a gap: the first submission asks for confirmation, with the reason; the second
    decides.
    """
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
            return render_template(
                "dashboard-finish.html",
                competition=competition,
                votes=votes,
                waiting=waiting,
                reason=reason,
                can_be_reopened=CAN_BE_REOPENED,
            )
        closing.finish_over(services.db, competition_id, by=request_context.me().person, reason=reason, once=once)
    except InvalidInput as error:
        return page(competition_id, error=InvalidInput({"word": error.fields["reason"]}), word=reason)
    except Conflict as error:
        return page(competition_id, error=error)
    return redirect(once.address, 303)
