"""Who may do what, and when: `check_x` raises a named error with a sentence for people, `can_x` answers yes or no."""

from collections.abc import Collection, Sequence
from datetime import datetime

from vote.domain.competition import FINAL_STATES, MAY_BECOME, Competition, State, Visibility
from vote.domain.folding import text_key
from vote.domain.person import Person
from vote.errors import Conflict, NoSuchCompetition, NotAllowed

_SHOWS = {"live": 0, "after_vote": 1, "after_close": 2}  # the higher, the less is shown


def can_organise(person: Person | None) -> bool:
    """May create competitions."""
    return person is not None and person.role in ("organiser", "admin")


def can_manage(person: Person | None, competition: Competition) -> bool:
    """May run this competition: an admin any, an organiser the own ones."""
    if person is None:
        return False
    return person.role == "admin" or (person.role == "organiser" and competition.organiser_id == person.id)


def check_manage(person: Person | None, competition: Competition) -> None:
    """Raises NotAllowed unless this person runs this competition."""
    if not can_manage(person, competition):
        raise NotAllowed("Only the organiser of this competition or an admin may do this.")


def check_not_oneself(person_id: int, by: int) -> None:
    """Raises Conflict when somebody would take from themselves what only another admin could give back."""
    if person_id == by:
        raise Conflict("You cannot do this to your own account: ask another admin.")


def can_see(person: Person | None, competition: Competition) -> bool:
    """Drafts and archived competitions are for those who run them."""
    return competition.state not in ("draft", "archived") or can_manage(person, competition)


def check_see(person: Person | None, competition: Competition | None) -> Competition:
    """The competition, or NotFound: what you may not see does not exist for you."""
    if competition is None or not can_see(person, competition):
        raise NoSuchCompetition
    return competition


def can_see_results(person: Person | None, competition: Competition, *, has_voted: bool) -> bool:
    """The one visibility rule, used by page, API, socket, export and metrics alike."""
    if not can_see(person, competition):
        return False
    if can_manage(person, competition) or competition.state in FINAL_STATES:
        return True
    if competition.results_visibility == "live":
        return True
    return competition.results_visibility == "after_vote" and has_voted


def check_see_results(person: Person | None, competition: Competition, *, has_voted: bool) -> None:
    """Raises NotAllowed with when the results will be shown."""
    if not can_see_results(person, competition, has_voted=has_voted):
        when = "once you have voted" if competition.results_visibility == "after_vote" else "after voting has closed"
        raise NotAllowed(f"The results of this competition are shown {when}.")


def check_become(competition: Competition, state: State) -> None:
    """Raises Conflict unless the competition may go from its state to this one."""
    if state not in MAY_BECOME[competition.state]:
        raise Conflict(f"A competition that is {competition.state} cannot become {state}.")


def check_not_over(competition: Competition, fields: Collection[str], *, words: bool) -> None:
    """Raises Conflict when voting is over and this change is about more than hiding results; `words`: these change."""
    if competition.state == "archived":
        raise Conflict("This competition is archived. Nothing about it can change any more.")
    if competition.state not in ("closing", "closed"):
        return
    if words:
        raise Conflict("Voting is over: people voted on these words, and they stay.")
    if set(fields) - {"name", "description", "results_visibility"}:
        raise Conflict("Voting is over: nothing but who sees the results may still change. Open it again first.")


def check_change_of_rules(competition: Competition, *, options: bool, allow_change: bool) -> None:
    """What voters were promised stays: options and vote change are fixed once voting has begun."""
    if competition.opened_at is None:
        return
    if options:
        raise Conflict(
            "The options cannot change once voting has begun: people have chosen among them. A typo can be corrected."
        )
    if allow_change:
        raise Conflict("Whether votes may be changed is fixed once voting has begun: people have been told.")


def check_change_of_visibility(competition: Competition, wanted: Visibility) -> None:
    """Once voting has begun results may be shown later than announced, never earlier; a close does not reopen this."""
    if competition.opened_at is not None and _SHOWS[wanted] < _SHOWS[competition.results_visibility]:
        raise Conflict("Once voting has started you can delay results, never show them earlier than announced.")


def check_open_for_correction(competition: Competition, now: datetime) -> None:
    """Raises Conflict unless words can be corrected: until the close."""
    if competition.state != "open" or (competition.closes_at is not None and competition.closes_at <= now):
        raise Conflict("Voting is over: people voted on these words, and they stay.")


def check_corrected_labels(competition: Competition, labels: Sequence[str]) -> None:
    """A correction mends words; raises Conflict where ballots would come to stand for another option."""
    if len(labels) != len(competition.options):
        raise Conflict("A correction changes words only: the number of options stays.")
    for option, label in zip(competition.options, labels, strict=True):
        if text_key(label) in _labels_of_others(competition, option.key):
            raise Conflict(
                f"“{label}” is or was another option here. A correction cannot make one option into another."
            )


def _labels_of_others(competition: Competition, key: str) -> set[str]:
    borne = {text_key(option.label) for option in competition.options if option.key != key}
    return borne | {
        text_key(text)
        for one in competition.corrections
        if one.field.startswith("option_") and one.field != f"option_{key}"
        for text in (one.before, one.after)
    }
