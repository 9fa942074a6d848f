"""What an open page knows of its competition, in one table: the socket sends it, and the API says the same to who polls.

Nothing in it depends on who asks, and no count is in it: whether figures may be seen is `policy.can_see_results`, elsewhere.
"""

from typing import TypedDict

from vote.domain.competition import Competition, State, Visibility


class PageState(TypedDict):
    """Each field is called and written as in the API's answer; of corrections there is only the number. Times: ISO 8601."""

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
    """Return what pages know of this competition. `revision` grows with every change of anything in here."""
    times = {
        name: at.isoformat() if (at := getattr(competition, name)) else None
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
