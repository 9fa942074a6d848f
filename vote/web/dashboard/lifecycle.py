"""Defines the steps in a competition's lifecycle that organisers can take by hand, with their texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vote.actions import competitions as actions
from vote.db.idempotency_keys import Claim
from vote.domain.competition import Competition, State
from vote.domain.person import Person
from vote.services.container import Services

Take = Callable[[Services, int, Person, Claim], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleStep:
    """A step of the lifecycle. `button` is the button's text; `will` says what happens then, a sentence each.

    `done` says what happened, and is shown as long as the competition is in that state.
    """

    name: str
    button: str
    title: str
    will: Sequence[str]
    done: Mapping[State, str]
    from_states: frozenset[State]
    take: Take
    is_grave: bool = False
    needs_opens_at: bool = False

    def fits(self, competition: Competition) -> bool:
        """Return whether the step can be taken now."""
        if self.needs_opens_at and (competition.opens_at is None or competition.opens_at <= datetime.now(UTC)):
            return False
        return competition.state in self.from_states


def _open(services: Services, competition_id: int, person: Person, once: Claim) -> object:
    keep_hours = services.settings.vote_log_keep_hours
    return actions.open_voting(services.db, services.log, competition_id, by=person, keep_hours=keep_hours, once=once)


def _by_hand(act: Callable[..., object], **fixed: object) -> Take:
    def take(services: Services, competition_id: int, person: Person, once: Claim) -> object:
        return act(services.db, services.log, competition_id, by=person, once=once, **fixed)

    return take


OPENS_AUTOMATICALLY = "Voting opens automatically at the opening time."
CAN_BE_REOPENED = "You can reopen voting for some time afterwards. The audit log records both."

STEPS = {
    step.name: step
    for step in (
        LifecycleStep(
            name="open",
            button="Open now",
            title="Open voting now?",
            will=(
                "Everyone with an account can vote from now on.",
                "The options, and whether votes can be changed, are fixed from then on.",
                "A future closing time stays. Without one, you close voting yourself.",
            ),
            done={"open": "Voting is open."},
            from_states=frozenset({"draft", "scheduled"}),
            take=_open,
        ),
        LifecycleStep(
            name="schedule",
            button="Schedule",
            title="Schedule voting?",
            will=("Everyone can see it, and when it opens.", OPENS_AUTOMATICALLY),
            done={"scheduled": OPENS_AUTOMATICALLY},
            from_states=frozenset({"draft"}),
            take=_by_hand(actions.change, if_match=None, schedule=True),
            needs_opens_at=True,
        ),
        LifecycleStep(
            name="close",
            button="Close now",
            title="Close voting now?",
            will=(
                "No more ballots are accepted. Voters are told that voting has ended.",
                "Every ballot accepted before is still counted, usually within a second. Only then is the result final.",
                CAN_BE_REOPENED,
            ),
            done={
                "closing": "Voting is closing. No more ballots are accepted.",
                "closed": "Voting is closed, and the result is final.",
            },
            from_states=frozenset({"open"}),
            take=_by_hand(actions.close_voting),
            is_grave=True,
        ),
        LifecycleStep(
            name="reopen",
            button="Reopen",
            title="Reopen voting?",
            will=(
                "People can vote again. Recorded votes stay.",
                "A result that people saw as final can change. The pages will say that voting was reopened, and when.",
                "A closing time that has passed is removed. Set a new one, or close voting yourself.",
            ),
            done={"open": "Voting is open again."},
            from_states=frozenset({"closing", "closed"}),
            take=_open,
            is_grave=True,
        ),
        LifecycleStep(
            name="archive",
            button="Archive",
            title="Archive this vote?",
            will=(
                "Only you and admins will see it. For everyone else, its pages no longer exist.",
                "The votes and the result are kept, and receipts can still be checked.",
                "This cannot be undone.",
            ),
            done={"archived": "It is archived. Only you and admins can see it."},
            from_states=frozenset({"closed"}),
            take=_by_hand(actions.archive),
            is_grave=True,
        ),
        LifecycleStep(
            name="delete",
            button="Delete",
            title="Delete this vote?",
            will=(
                "It is deleted for good, with its question and options.",
                "You can delete it only while nobody has voted. If someone votes before you press the button, nothing is"
                " deleted.",
            ),
            done={},
            from_states=frozenset({"draft", "scheduled", "open", "closed", "archived"}),
            take=_by_hand(actions.delete, if_match=None),
            is_grave=True,
        ),
    )
}


def steps_of(competition: Competition) -> list[LifecycleStep]:
    """Return the steps that can be taken now, the likeliest first."""
    return [step for step in STEPS.values() if step.fits(competition)]
