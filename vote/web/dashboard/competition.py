"""Forms that create, edit and correct a competition, through the same actions as the admin API.

If another change came first, nothing typed is lost: the form keeps it and shows the stored value beside it.
"""

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import competitions as actions
from vote.errors import Conflict, InvalidInput, StaleVersion
from vote.web import access, idempotency, request_context
from vote.web.access import ORGANISER
from vote.web.dashboard import competition_form
from vote.web.dashboard.competition_form import Typed
from vote.web.dashboard.competition_page import page
from vote.web.managed_competition import find_managed

competition_dashboard = Blueprint("competition_dashboard", __name__, url_prefix="/admin/competitions")


@competition_dashboard.get("/new")
@access.rule(ORGANISER)
def new() -> str:
    """Show an empty form."""
    return render_template("dashboard-new.html", typed=Typed(), errors={})


@competition_dashboard.post("")
@access.rule(ORGANISER)
def create() -> AnyResponse:
    """Create a competition, or show the form again with its errors."""
    services, typed = request_context.services(), Typed.read(request.form)
    if "more" in request.form:
        return Response(render_template("dashboard-new.html", typed=typed.with_more_options(), errors={}))
    once = idempotency.claim("/admin/competitions/{id}?done=created")
    try:
        wanted = competition_form.new(typed)
        actions.create(services.db, services.log, by=request_context.me().person, once=once, **wanted.model_dump())
    except InvalidInput as error:
        return Response(render_template("dashboard-new.html", typed=typed, errors=error.fields), 422)
    return redirect(once.address, 303)


@competition_dashboard.get("/<id:competition_id>")
@access.rule(ORGANISER)
def edit(competition_id: int) -> Response:
    """Show a competition: its state, possible steps, form and history."""
    return page(competition_id)


@competition_dashboard.post("/<id:competition_id>")
@access.rule(ORGANISER)
def change(competition_id: int) -> AnyResponse:
    """Change the fields that differ from the stored ones."""
    typed = Typed.read(request.form)
    with request_context.services().db.read() as tx:
        before = find_managed(tx, competition_id)
    if "more" in request.form:
        return page(competition_id, typed.with_more_options())
    try:
        return _save(competition_id, competition_form.changes(typed, before), "saved")
    except (StaleVersion, InvalidInput, Conflict) as error:
        return page(competition_id, typed, error)


@competition_dashboard.post("/<id:competition_id>/correct")
@access.rule(ORGANISER)
def correct(competition_id: int) -> AnyResponse:
    """Correct wording while people vote; everyone sees the old and the new wording."""
    corrected = competition_form.corrected(request.form)
    with request_context.services().db.read() as tx:
        before = find_managed(tx, competition_id)
    try:
        fields = competition_form.corrections(corrected, before)
        return _save(competition_id, fields, "corrected", place="#corrections", correction=True)
    except (StaleVersion, InvalidInput, Conflict) as error:
        return page(competition_id, error=error, corrected=corrected)


def _save(
    competition_id: int, fields: dict[str, Any], done: str, *, place: str = "", correction: bool = False
) -> AnyResponse:
    """Save the fields that differ, if any, and redirect to the page."""
    services, by = request_context.services(), request_context.me().person
    leads_to = f"/admin/competitions/{{id}}?done={done if fields else 'same'}{place}"
    once, if_match = idempotency.claim(leads_to, about=competition_id), request.form.get("if_match", "")
    if fields:
        actions.change(
            services.db,
            services.log,
            competition_id,
            by=by,
            if_match=if_match,
            correction=correction,
            once=once,
            **fields,
        )
    else:
        once.note(services.db)
    return redirect(once.address, 303)
