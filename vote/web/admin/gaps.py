"""The admin page of gaps in the ballot log, which admins decide on, and of ballots that are not counted."""

from collections.abc import Sequence

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from vote.actions import closing
from vote.db import competitions, gaps, quarantine
from vote.db.gaps import Gap
from vote.db.pool import Tx
from vote.domain.competition import Competition
from vote.errors import InvalidInput
from vote.web import idempotency, request_context, validation
from vote.web.access import ADMIN, rule
from vote.web.api import paging
from vote.web.api.gap_models import Decision

admin_gaps = Blueprint("admin_gaps", __name__, url_prefix="/admin/gaps")

LATEST = 20
DONE = "Your decision is saved. Results held by nothing else become final within a second."
CHOOSE = "Choose at least one gap."


@admin_gaps.get("")
@rule(ADMIN)
def show() -> str:
    """Show gaps with their possible losses, the results they hold, and past decisions."""
    return _page({}, [], "")


@admin_gaps.post("")
@rule(ADMIN)
def decide() -> AnyResponse:
    """Decide on gaps: the first submission asks for confirmation, with the reason; the second decides."""
    services, reason = request_context.services(), request.form.get("reason", "")
    chosen = set(request.form.getlist("gap"))
    with services.db.read() as tx:
        wanted = [gap for gap in gaps.listed(tx).rows if gap.decided_at is None and str(gap.id) in chosen]
        waiting = _waiting(tx)
    try:
        reason = validation.check(Decision, {"reason": reason}).reason
        if not wanted:
            raise InvalidInput({"gap": CHOOSE})
    except InvalidInput as error:
        missing = {} if wanted else {"gap": CHOOSE}
        return Response(_page({**missing, **error.fields}, wanted, reason), 422)
    if "sure" not in request.form:
        return Response(render_template("admin-gaps-decide.html", wanted=wanted, waiting=waiting, reason=reason))
    once = idempotency.claim("/admin/gaps?done=decided")
    closing.decide_gaps(
        services.db, [gap.id for gap in wanted], by=request_context.me().person, reason=reason, once=once
    )
    return redirect(once.address, 303)


def _page(errors: dict[str, str], chosen: Sequence[Gap], reason: str) -> str:
    after = paging.after()
    with request_context.services().db.read() as tx:
        found, following = gaps.listed(tx, after=after)
        return render_template(
            "admin-gaps.html",
            waiting_gaps=[gap for gap in found if gap.decided_at is None],
            decided=[gap for gap in found if gap.decided_at is not None],
            after=after,
            next=following,
            waiting=_waiting(tx),
            counts=quarantine.counts(tx),
            unmatched=quarantine.latest_unmatched(tx, limit=LATEST),
            rejected=quarantine.latest_rejected(tx, limit=LATEST),
            errors=errors,
            chosen={gap.id for gap in chosen},
            reason=reason,
            done=DONE if request.args.get("done") == "decided" else None,
        )


def _waiting(tx: Tx) -> list[Competition]:
    """Return closing competitions that only an admin's decision can make final."""
    found = competitions.find_many(tx, competitions.in_state(tx, "closing"))
    return [one for one in found if closing.close_blockers(tx, one).needs_admin_decision]
