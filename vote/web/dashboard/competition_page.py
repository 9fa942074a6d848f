"""Renders a competition's dashboard page, also after a refused form."""

from collections.abc import Mapping

from flask import Response, render_template, request

from vote.db import audit, ballots, retention, tallies
from vote.db.pool import Tx
from vote.domain.competition import Competition, State
from vote.errors import InvalidInput, StaleVersion, VoteError
from vote.server import problems
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
# True only in these states: when the page is reloaded later, the step is still in its URL.
DONE_IN: Mapping[str, Mapping[State, str]] = {
    **{step.name: step.done for step in STEPS.values()},
    "finish": {"closed": "The result is final. Your decision and its reason are in the audit log below."},
}
OVERTAKEN = (
    "Someone changed this competition while you were editing it. Your changes are not lost: where a field differs, the"
    " stored value is shown next to yours. Save again to replace it with yours."
)


def page(
    competition_id: int,
    typed: Typed | None = None,
    error: VoteError | None = None,
    *,
    word: str = "",
    corrected: Mapping[str, str] | None = None,
) -> Response:
    """Return the page: the competition's state, possible steps, form and history.

    `typed`, `word` and `corrected` keep the text typed into its forms; `error` holds their errors.
    """
    services, errors = request_context.services(), error.fields if isinstance(error, InvalidInput) else {}
    detail = OVERTAKEN if isinstance(error, StaleVersion) else error.detail if error else None
    message = None if errors else detail
    with services.db.read() as tx:
        competition = find_managed(tx, competition_id)
        typed = typed or Typed.from_competition(competition)
        waiting = pending_ballots.waiting(services, tx, competition)
        on_the_way = waiting.pending if waiting else pending_ballots.ballots(services, tx, competition.id)
        may_have_ballots = _may_have_ballots(tx, competition, on_the_way)
        reopening = None
        if competition.state == "closed":
            reopening = retention.reopening(tx, competition.id, keep_hours=services.settings.vote_log_keep_hours)
        unavailable = {"delete"} if may_have_ballots else set()
        unavailable |= {"reopen"} if reopening and reopening.is_over else set()
        text = render_template(
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
            steps=[step for step in steps_of(competition) if step.name not in unavailable],
            reopening=reopening,
            done_before=audit.of_competition(tx, competition.id, after=paging.after()),
            errors=errors,
            message=message,
            done=done_sentence(competition.state),
        )
    return Response(text, problems.status_of(error) if error else 200)


def _may_have_ballots(tx: Tx, competition: Competition, on_the_way: PendingCount | None) -> bool:
    """Return whether ballots may exist, to decide what the page offers; `actions/competition_holds.py` decides what is
    allowed.
    """
    if competition.opened_at is None:
        return False
    recorded = ballots.may_have_ballots(tx, competition.id, since=competition.opened_at)
    return recorded or (on_the_way is not None and on_the_way.ballots > 0)


def done_sentence(state: State) -> str | None:
    """Return the sentence for the last step, if it still holds in this state."""
    name = request.args.get("done", "")
    return DONE.get(name) or DONE_IN.get(name, {}).get(state)
