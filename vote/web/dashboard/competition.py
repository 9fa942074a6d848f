"""Create, edit and correct a competition by form, through the same actions as the admin API.

A form that was overtaken by another change loses nothing: what was typed stays, what is stored stands beside it.
"""

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import competitions as actions
from vote.errors import Conflict, InvalidInput, StaleVersion
from vote.server import problems
from vote.web import access, idempotency, request_context
from vote.web.access import ORGANISER
from vote.web.dashboard import competition_form
from vote.web.dashboard.competition_form import Typed
from vote.web.dashboard.competition_page import render_page, show_again
from vote.web.managed_competition import find_managed

competition_dashboard = Blueprint("competition_dashboard", __name__, url_prefix="/admin/competitions")

OVERTAKEN = (
    "Someone changed this competition while you were editing it. Your changes are not lost: where a field differs, the"
    " stored value is shown next to yours. Save again to replace it with yours."
)


@competition_dashboard.get("/new")
@access.rule(ORGANISER)
def new() -> str:
    """An empty form."""
    return render_template("dashboard-new.html", typed=Typed(), errors={})


@competition_dashboard.post("")
@access.rule(ORGANISER)
def create() -> AnyResponse:
    """A new competition, or the form again with what is missing."""
    services, typed = request_context.services(), Typed.read(request.form)
    if "more" in request.form:
        return Response(render_template("dashboard-new.html", typed=typed.with_more_options(), errors={}))
    once = idempotency.claim("/admin/competitions/{id}?done=created")
    try:
        wanted = competition_form.new(typed)
        actions.create(services.db, services.log, by=request_context.me().person, once=once, **wanted.model_dump())
    except InvalidInput as error:
        page = render_template("dashboard-new.html", typed=typed, errors=error.fields)
        return Response(page, problems.status_of(error))
    return redirect(once.address, 303)


@competition_dashboard.get("/<id:competition_id>")
@access.rule(ORGANISER)
def edit(competition_id: int) -> str:
    """One competition: where it stands, what can be done now, its form, and what was done to it."""
    with request_context.services().db.read() as tx:
        competition = find_managed(tx, competition_id)
        return render_page(tx, competition, Typed.from_competition(competition))


@competition_dashboard.post("/<id:competition_id>")
@access.rule(ORGANISER)
def change(competition_id: int) -> AnyResponse:
    """Change what the form says is different."""
    services, typed = request_context.services(), Typed.read(request.form)
    with services.db.read() as tx:
        before = find_managed(tx, competition_id)
    if "more" in request.form:
        return show_again(competition_id, typed.with_more_options(), {}, None, 200)
    if_match = request.form.get("if_match", "")
    try:
        fields = competition_form.changes(typed, before)
        done = "saved" if fields else "same"
        once = idempotency.claim(f"/admin/competitions/{{id}}?done={done}", about=competition_id)
        if fields:
            person = request_context.me().person
            actions.change(services.db, services.log, competition_id, by=person, if_match=if_match, once=once, **fields)
        else:
            once.note(services.db)
    except StaleVersion as error:
        return show_again(competition_id, typed, {}, OVERTAKEN, problems.status_of(error))
    except InvalidInput as error:
        return show_again(competition_id, typed, error.fields, None, problems.status_of(error))
    except Conflict as error:
        return show_again(competition_id, typed, {}, error.detail, problems.status_of(error))
    return redirect(once.address, 303)


@competition_dashboard.post("/<id:competition_id>/correct")
@access.rule(ORGANISER)
def correct(competition_id: int) -> AnyResponse:
    """Correct words while people vote; old and new are shown to everybody."""
    services, corrected = request_context.services(), competition_form.corrected(request.form)
    with services.db.read() as tx:
        before = find_managed(tx, competition_id)
    try:
        fields = competition_form.corrections(corrected, before)
        done = "corrected" if fields else "same"
        once = idempotency.claim(f"/admin/competitions/{{id}}?done={done}#corrections", about=competition_id)
        if fields:
            person, if_match = request_context.me().person, request.form.get("if_match", "")
            actions.change(
                services.db,
                services.log,
                competition_id,
                by=person,
                if_match=if_match,
                correction=True,
                once=once,
                **fields,
            )
        else:
            once.note(services.db)
    except (StaleVersion, InvalidInput, Conflict) as error:
        errors = error.fields if isinstance(error, InvalidInput) else {}
        message = None if errors else OVERTAKEN if isinstance(error, StaleVersion) else error.detail
        status = problems.status_of(error)
        return show_again(competition_id, Typed.from_competition(before), errors, message, status, corrected=corrected)
    return redirect(once.address, 303)
