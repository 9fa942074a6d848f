"""Rules on who may do what, and when: `check_x` raises a named error with a sentence for people, `can_x` returns a
bool.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from vote.domain.competition import FINAL_STATES, MAY_BECOME, Competition, State, Visibility
from vote.domain.folding import text_key
from vote.domain.person import Person
from vote.errors import Conflict, NoSuchCompetition, NotAllowed

WORDS_ARE_FIXED = "Voting has ended, so the wording is fixed: people voted on it."

_SHOWS = {"live": 0, "after_vote": 1, "after_close": 2}  # the higher, the later results are shown


def can_organise(person: Person | None) -> bool:
    """Return whether this person may create competitions."""
    return person is not None and person.role in ("organiser", "admin")


def can_manage(person: Person | None, competition: Competition) -> bool:
    """Return whether this person may run this competition: an admin any, an organiser their own."""
    if person is None:
        return False
    return person.role == "admin" or (person.role == "organiser" and competition.organiser_id == person.id)


def check_manage(person: Person | None, competition: Competition) -> None:
    """Raise NotAllowed unless this person runs this competition."""
    if not can_manage(person, competition):
        raise NotAllowed("Only the organiser of this competition or an admin can do this.")


def check_not_oneself(person_id: int, by: int | str) -> None:
    """Raise Conflict when admins would remove rights of their own that only another admin could restore."""
    if person_id == by:
        raise Conflict("You cannot do this to your own account. Ask another admin.")


def can_see(person: Person | None, competition: Competition) -> bool:
    """Return whether this person may see this competition: drafts and archived ones only those who run them."""
    return competition.state not in ("draft", "archived") or can_manage(person, competition)


def check_see(person: Person | None, competition: Competition | None) -> Competition:
    """Return the competition. Raises NotFound both if it does not exist and if this person may not see it."""
    if competition is None or not can_see(person, competition):
        raise NoSuchCompetition
    return competition


def can_see_results(person: Person | None, competition: Competition, *, has_voted: bool) -> bool:
    """Return whether this person may see results: the one rule for page, API, socket, export and metrics."""
    if not can_see(person, competition):
        return False
    if can_manage(person, competition) or competition.state in FINAL_STATES:
        return True
    if competition.results_visibility == "live":
        return True
    return competition.results_visibility == "after_vote" and has_voted


def check_see_results(person: Person | None, competition: Competition, *, has_voted: bool) -> None:
    """Raise NotAllowed unless this person may see results; the message says when they may."""
    if not can_see_results(person, competition, has_voted=has_voted):
        when = "once you have voted" if competition.results_visibility == "after_vote" else "after voting has ended"
        raise NotAllowed(f"The results of this competition are shown {when}.")


def check_become(competition: Competition, state: State) -> None:
    """Raise Conflict unless the competition may go from its state to this one."""
    if state not in MAY_BECOME[competition.state]:
        raise Conflict(f"A competition that is {competition.state} cannot become {state}.")


def check_reopening(until: datetime, *, is_over: bool) -> None:
    """Raise Conflict when it is too late to reopen a closed competition."""
    if is_over:
        moment = until.astimezone(UTC)
        raise Conflict(f"Voting could be reopened until {moment.day} {moment:%B %Y, %H:%M} UTC. The result stands.")


def check_not_over(competition: Competition, fields: Collection[str], *, words: bool) -> None:
    """Raise Conflict if voting is over and the change does more than hide results; `words`: it changes wording."""
    if competition.state == "archived":
        raise Conflict("This competition is archived. It can no longer be changed.")
    if competition.state not in ("closing", "closed"):
        return
    if words:
        raise Conflict(WORDS_ARE_FIXED)
    if set(fields) - {"name", "description", "results_visibility"}:
        raise Conflict("Voting has ended: only who sees the results can still be changed. Reopen voting first.")


def check_change_of_rules(competition: Competition, *, options: bool, allow_change: bool) -> None:
    """Raise Conflict if options or the right to change a vote would differ after voting has begun."""
    if competition.opened_at is None:
        return
    if options:
        raise Conflict("The options are fixed once voting has started: people vote on them. You can correct a typo.")
    if allow_change:
        raise Conflict("Whether votes can be changed is fixed once voting has started: voters rely on it.")


def check_change_of_visibility(competition: Competition, wanted: Visibility) -> None:
    """Raise Conflict if results would show earlier than announced once voting has begun; closing does not lift this."""
    if competition.opened_at is not None and _SHOWS[wanted] < _SHOWS[competition.results_visibility]:
        raise Conflict("Once voting has started you can delay results, never show them earlier than announced.")


def check_open_for_correction(competition: Competition, now: datetime) -> None:
    """Raise Conflict unless wording can still be corrected: voting must be open."""
    if competition.state != "open" or (competition.closes_at is not None and competition.closes_at <= now):
        raise Conflict(WORDS_ARE_FIXED)


def check_corrected_labels(competition: Competition, labels: Sequence[str]) -> None:
    """Raise Conflict when a corrected label would make ballots stand for another option."""
    if len(labels) != len(competition.options):
        raise Conflict("A correction changes wording only, not the number of options.")
    for option, label in zip(competition.options, labels, strict=True):
        if text_key(label) in _labels_of_others(competition, option.key):
            raise Conflict(
                f"“{label}” is or was another option here. A correction cannot make one option into another."
            )


def _labels_of_others(competition: Competition, key: str) -> set[str]:
    present = {text_key(option.label) for option in competition.options if option.key != key}
    return present | {
        text_key(text)
        for correction in competition.corrections
        if correction.field.startswith("option_") and correction.field != f"option_{key}"
        for text in (correction.before, correction.after)
    }
