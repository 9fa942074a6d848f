"""The steps in a competition's life that an organiser can take by hand, with what each will do in plain words."""

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
    """One step. `button` is what the button says; `will` what happens then, one sentence each.

    `done` is what was done, true as long as the competition is in that state.
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
        """Whether the step can be taken now."""
        if self.needs_opens_at and (competition.opens_at is None or competition.opens_at <= datetime.now(UTC)):
            return False
        return competition.state in self.from_states


def _open(services: Services, competition_id: int, person: Person, once: Claim) -> object:
    return actions.open_voting(services.db, services.log, competition_id, by=person, once=once)


def _close(services: Services, competition_id: int, person: Person, once: Claim) -> object:
    return actions.close_voting(services.db, services.log, competition_id, by=person, once=once)


def _schedule(services: Services, competition_id: int, person: Person, once: Claim) -> object:
    return actions.change(services.db, services.log, competition_id, by=person, if_match=None, once=once, schedule=True)


def _archive(services: Services, competition_id: int, person: Person, once: Claim) -> object:
    return actions.archive(services.db, services.log, competition_id, by=person, once=once)


def _delete(services: Services, competition_id: int, person: Person, once: Claim) -> None:
    actions.delete(services.db, services.log, competition_id, by=person, if_match=None, once=once)


STEPS = {
    step.name: step
    for step in (
        LifecycleStep(
            name="open",
            button="Open now",
            title="Open voting now?",
            will=(
                "Everybody with an account can vote from this moment on.",
                "The options, and whether a vote may be changed, are fixed from then on.",
                "A closing time that lies ahead stays; without one you close by hand.",
            ),
            done={"open": "Voting is open."},
            from_states=frozenset({"draft", "scheduled"}),
            take=_open,
        ),
        LifecycleStep(
            name="schedule",
            button="Schedule",
            title="Let it open by itself?",
            will=("Everybody sees that it is coming, and when.", "It opens by itself at its opening time."),
            done={"scheduled": "It opens by itself at its opening time."},
            from_states=frozenset({"draft"}),
            take=_schedule,
            needs_opens_at=True,
        ),
        LifecycleStep(
            name="close",
            button="Close now",
            title="Close voting now?",
            will=(
                "From this moment on no more ballots are taken; voters are told that voting has closed.",
                "Every ballot accepted before is still counted, usually within a second. Only then is the result final.",
                "You can open it again afterwards; the list of what was done keeps both.",
            ),
            done={
                "closing": "Voting is closing: no more ballots are taken.",
                "closed": "Voting is closed, and the result is final.",
            },
            from_states=frozenset({"open"}),
            take=_close,
            is_grave=True,
        ),
        LifecycleStep(
            name="reopen",
            button="Open again",
            title="Open voting again?",
            will=(
                "People can vote again; votes already recorded stay.",
                "A result that people may have seen as final will move. The ballot and the result page will say that voting"
                " was reopened, and when.",
                "A closing time that has passed is taken away: set a new one, or close by hand.",
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
                "Only you and admins will see it. For everyone else its pages are gone.",
                "The votes and the result are kept, and receipts can still be checked.",
                "This cannot be undone.",
            ),
            done={"archived": "It is archived. Only you and admins can see it."},
            from_states=frozenset({"closed"}),
            take=_archive,
            is_grave=True,
        ),
        LifecycleStep(
            name="delete",
            button="Delete",
            title="Delete this vote?",
            will=(
                "It is gone for good, with its question and its options.",
                "This works only as long as nobody has voted. If somebody votes before you press the button, nothing is"
                " deleted.",
            ),
            done={},
            from_states=frozenset({"draft", "scheduled", "open", "closed", "archived"}),
            take=_delete,
            is_grave=True,
        ),
    )
}


def steps_of(competition: Competition) -> list[LifecycleStep]:
    """The steps that can be taken now, the likeliest first."""
    return [step for step in STEPS.values() if step.fits(competition)]
