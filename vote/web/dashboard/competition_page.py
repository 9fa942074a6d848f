"""Render the page of one competition on the dashboard: again after a form that was refused, too."""

from collections.abc import Mapping

from flask import Response, render_template, request

from vote.db import audit, ballots, tallies
from vote.db.pool import Tx
from vote.domain.competition import Competition, State
from vote.errors import InvalidInput, VoteError
from vote.web import request_context
from vote.web.api import paging
from vote.web.dashboard import competition_form
from vote.web.dashboard.competition_form import Typed
from vote.web.dashboard.lifecycle import STEPS, steps_of
from vote.web.managed_competition import find_managed
from vote.web.pages import corrections, pending_ballots
from vote.web.pages.pending_ballots import PendingCount

DONE = {
    "created": "The competition is created.",
    "saved": "Saved.",
    "same": "Nothing to save: you changed nothing.",
    "corrected": "Corrected. Everyone sees the old and the new words.",
    "delete": "The vote is deleted.",
}
# True in these states only: whoever loads the page again later still has the step in its address.
DONE_IN: Mapping[str, Mapping[State, str]] = {
    **{step.name: step.done for step in STEPS.values()},
    "finish": {"closed": "The result is final. Your decision and its reason are in the audit log below."},
}


def show_again(
    competition_id: int,
    typed: Typed,
    errors: dict[str, str],
    message: str | None,
    status: int,
    *,
    word: str = "",
    corrected: Mapping[str, str] | None = None,
) -> Response:
    """Return the page with what was typed, kept as it was typed, and what is wrong with it."""
    with request_context.services().db.read() as tx:
        found = find_managed(tx, competition_id)
        page = render_page(tx, found, typed, errors=errors, message=message, word=word, corrected=corrected)
    return Response(page, status)


def render_page(
    tx: Tx,
    competition: Competition,
    typed: Typed,
    *,
    errors: dict[str, str] | None = None,
    message: str | None = None,
    word: str = "",
    corrected: Mapping[str, str] | None = None,
) -> str:
    """Return the page: where the competition stands, what can be done now, its form, and what was done to it."""
    services = request_context.services()
    waiting = pending_ballots.waiting(services, tx, competition)
    on_the_way = waiting.pending if waiting else pending_ballots.ballots(services, tx, competition.id)
    may_have_ballots = _may_have_ballots(tx, competition, on_the_way)
    return render_template(
        "dashboard-competition.html",
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
        done=done_sentence(competition.state),
    )


def _may_have_ballots(tx: Tx, competition: Competition, on_the_way: PendingCount | None) -> bool:
    """What the page offers; what is allowed is decided when it is asked for (`actions/competition_holds.py`)."""
    if competition.opened_at is None:
        return False
    recorded = ballots.may_have_ballots(tx, competition.id, since=competition.opened_at)
    return recorded or (on_the_way is not None and on_the_way.ballots > 0)


def done_sentence(state: State) -> str | None:
    """Return what the last step did, if that is still so in this state."""
    name = request.args.get("done", "")
    return DONE.get(name) or DONE_IN.get(name, {}).get(state)


def sentence_of(error: VoteError) -> str:
    """Return what is wrong, whichever fields it is about."""
    return " ".join(error.fields.values()) if isinstance(error, InvalidInput) else error.detail
