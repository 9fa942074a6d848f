"""The state of an open page, defined once: the socket sends it, and the API returns the same to a poll."""

from typing import TypedDict

from vote.domain.competition import Competition, State, Visibility


class PageState(TypedDict):
    """The state of an open page. Fields as in the API's answer, times in ISO 8601; `corrections` is their number."""

    state: State
    revision: int
    final: bool
    opens_at: str | None
    closes_at: str | None
    results_visibility: Visibility
    reopened_at: str | None
    previous_final_at: str | None
    corrections: int


def page_state(competition: Competition) -> PageState:
    """Return the page state of this competition. `revision` grows with every change of any field."""
    times = {
        name: time.isoformat() if (time := getattr(competition, name)) else None
        for name in ("opens_at", "closes_at", "reopened_at", "previous_final_at")
    }
    return PageState(
        state=competition.state,
        revision=competition.revision,
        final=competition.is_final,
        opens_at=times["opens_at"],
        closes_at=times["closes_at"],
        results_visibility=competition.results_visibility,
        reopened_at=times["reopened_at"],
        previous_final_at=times["previous_final_at"],
        corrections=len(competition.corrections),
    )
