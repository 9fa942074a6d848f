"""Decides what may still change about a competition: its wording until the first vote, then only corrections.

Options and rules are fixed once voting has begun; name and description once someone has voted. From then until the
close, typos can be corrected: keys and number of options stay, and everyone sees the old and the new wording.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from vote.domain import policy
from vote.domain.competition import Competition
from vote.errors import Conflict, InvalidInput

WORDS = ("name", "description")
HAS_BALLOTS = (
    "People have voted on this wording. To fix a typo, send a correction: everyone sees the old words and the new ones."
)

Correction = tuple[str, str, str]  # field, old words, new words


def check_times(*, opens_at: datetime | None, closes_at: datetime | None, now: datetime) -> None:
    """Raise InvalidInput unless closing comes after opening and after now."""
    if closes_at is not None and closes_at <= now:
        raise InvalidInput({"closes_at": "The closing time has already passed. Choose a later one."})
    if closes_at is not None and opens_at is not None and closes_at <= opens_at:
        raise InvalidInput({"closes_at": "Voting must close after it opens. Choose a later closing time."})


def check_schedule(before: Competition, now: datetime) -> None:
    """Raise Conflict unless the opening time lies ahead."""
    if before.opens_at is None or before.opens_at <= now:
        raise Conflict("The opening time is missing or has passed. Set a later one, or open voting now.")


def differing(before: Competition, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields whose values would change; of options, their order counts."""
    labels = [option.label for option in before.options]
    return {
        name: value
        for name, value in fields.items()
        if (list(value) != labels if name == "options" else value != getattr(before, name))
    }


def changes_words(fields: Mapping[str, Any]) -> bool:
    """Return whether name or description is among the fields that would change."""
    return not fields.keys().isdisjoint(WORDS)


def check_change(before: Competition, fields: Mapping[str, Any], now: datetime) -> None:
    """Raise Conflict or InvalidInput when these fields, which would change, may not take these values in this state."""
    policy.check_not_over(before, fields.keys(), words=changes_words(fields))
    policy.check_change_of_rules(before, options="options" in fields, allow_change="allow_change" in fields)
    policy.check_change_of_visibility(before, fields.get("results_visibility", before.results_visibility))
    if before.opened_at is not None and fields.get("opens_at", before.opens_at) != before.opens_at:
        raise Conflict("Voting has started, so the opening time can no longer be changed.")
    if before.state == "scheduled" and fields.get("opens_at", before.opens_at) is None:
        raise InvalidInput({"opens_at": "A scheduled competition needs an opening time. To start voting now, open it."})
    if "opens_at" in fields or "closes_at" in fields:
        opens_at = fields.get("opens_at", before.opens_at)
        check_times(opens_at=opens_at, closes_at=fields.get("closes_at", before.closes_at), now=now)


def corrections(before: Competition, fields: Mapping[str, Any], now: datetime) -> list[Correction]:
    """Return what these fields correct. Raises InvalidInput or Conflict where that would be more than a correction."""
    if others := fields.keys() - {*WORDS, "options"}:
        raise InvalidInput(dict.fromkeys(others, "Only the name, the description and option labels can be corrected."))
    policy.check_open_for_correction(before, now)
    labels = list(fields.get("options", [option.label for option in before.options]))
    policy.check_corrected_labels(before, labels)
    wanted = [(name, getattr(before, name), fields.get(name, getattr(before, name))) for name in WORDS]
    wanted += [
        (f"option_{option.key}", option.label, label) for option, label in zip(before.options, labels, strict=True)
    ]
    return [(field, old, new) for field, old, new in wanted if old != new]
