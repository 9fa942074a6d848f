"""Who may do what, and when: `check_x` raises a named error with a sentence for people, `can_x` answers yes or no."""

from vote.domain.competition import FINAL_STATES, MAY_BECOME, Competition, State, Visibility
from vote.domain.person import Person
from vote.errors import Conflict, NotAllowed, NotFound

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
    """Drafts are for those who run them; an archived competition is gone for everybody."""
    if competition.state == "archived":
        return False
    return competition.state != "draft" or can_manage(person, competition)


def check_see(person: Person | None, competition: Competition | None) -> Competition:
    """The competition, or NotFound: what you may not see does not exist for you."""
    if competition is None or not can_see(person, competition):
        raise NotFound("There is no such competition.")
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


def check_change_of_rules(competition: Competition, *, options: bool, allow_change: bool) -> None:
    """What voters were promised stays: options and vote change are fixed once voting has begun."""
    if competition.opened_at is None:
        return
    if options:
        raise Conflict("The options cannot change once voting has begun: people have chosen among them.")
    if allow_change:
        raise Conflict("Whether votes may be changed is fixed once voting has begun: people have been told.")


def check_change_of_visibility(competition: Competition, wanted: Visibility) -> None:
    """Results may be shown later than promised to voters, never earlier."""
    if competition.opened_at is None or competition.state in FINAL_STATES:
        return
    if _SHOWS[wanted] < _SHOWS[competition.results_visibility]:
        raise Conflict("Voters were told when the results are shown; once voting has begun it can only become later.")
