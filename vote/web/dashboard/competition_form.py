"""The competition form of the dashboard: keeps text as it was typed, and interprets it.

The API's models validate it (`competition_models.py`). Times are typed without an offset, for the zone beside them
(`time_fields.py`): the script fills in the reader's zone; without it the field says UTC. The form sends back the values
that it showed, so a time that nobody edits stays the same moment, whatever precision its field has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from werkzeug.datastructures import MultiDict

from vote.domain.competition import MAX_OPTIONS, MIN_OPTIONS, OPTION_KEYS, Competition
from vote.domain.folding import text_key
from vote.errors import InvalidInput
from vote.web import validation
from vote.web.api.competition_models import (
    LETTERED,
    CompetitionChange,
    NewCompetition,
    one_kind_of_line_break,
    with_other_labels,
)
from vote.web.dashboard import time_fields
from vote.web.dashboard.time_fields import Choice, UnknownZone
from vote.web.validation import Model

FIELDS_AT_FIRST = 4  # two options and room for two more, without script
FIELDS_MORE = 4
TEXT_MAX_CHARS = 64
TIMES = ("opens_at", "closes_at")
ONLY_BEFORE_VOTING = frozenset({"options", "allow_change", "opens_at"})
WORDS = frozenset({"name", "description"})
ONLY_BEFORE_CLOSING = ONLY_BEFORE_VOTING | WORDS | {"closes_at"}


@dataclass(frozen=True, slots=True)
class Typed:
    """The form's fields as text, to be shown again until they are valid."""

    name: str = ""
    description: str = ""
    labels: tuple[str, ...] = ("",) * FIELDS_AT_FIRST
    opens_at: str = ""
    closes_at: str = ""
    zone: str = "UTC"
    shown: Mapping[str, str] = field(default_factory=dict)  # value and zone that a time field showed
    chosen: Mapping[str, str] = field(default_factory=dict)  # the chosen moment of an ambiguous time
    allow_change: bool = False
    results_visibility: str = "live"
    draft: bool = False
    has_times: bool = True  # a form loaded while times were fixed sends none
    has_words: bool = True  # nor texts, while they were fixed
    is_fresh: bool = True  # nothing typed yet: the script may fill in the reader's zone

    @classmethod
    def from_competition(cls, competition: Competition) -> Self:
        """Return the form of a stored competition, times in UTC."""
        return cls(
            name=competition.name,
            description=competition.description,
            labels=_padded(option.label for option in competition.options),
            opens_at=time_fields.local(competition.opens_at),
            closes_at=time_fields.local(competition.closes_at),
            shown={name: _shown(time_fields.local(getattr(competition, name)), "UTC") for name in TIMES},
            allow_change=competition.allow_change,
            results_visibility=competition.results_visibility,
        )

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Self:
        """Return the submitted form. Drops empty options between others."""
        return cls(
            name=form.get("name", ""),
            description=one_kind_of_line_break(form.get("description", "")),
            labels=_padded(label for label in form.getlist("option")[:MAX_OPTIONS] if label.strip()),
            opens_at=form.get("opens_at", "").strip()[:TEXT_MAX_CHARS],
            closes_at=form.get("closes_at", "").strip()[:TEXT_MAX_CHARS],
            zone=form.get("zone", "").strip()[:TEXT_MAX_CHARS] or "UTC",
            shown={name: form[f"{name}_shown"][: 2 * TEXT_MAX_CHARS] for name in TIMES if f"{name}_shown" in form},
            chosen={name: form.get(f"{name}_which", "") for name in TIMES},
            allow_change="allow_change" in form,
            results_visibility=form.get("results_visibility", "live"),
            draft="draft" in form,
            has_times="closes_at" in form,
            has_words="name" in form,
            is_fresh=False,
        )

    @property
    def fields(self) -> list[str]:
        """Return the names of all fields that can be wrong, in the form's order."""
        return ["name", "description", *(f"option_{key}" for key in OPTION_KEYS), *TIMES, "zone"]

    def is_untouched(self, name: str) -> bool:
        """Return whether a time field still has the value and zone that it showed."""
        if name not in self.shown:
            return False
        text, _, zone = self.shown[name].partition(" ")
        return time_fields.is_same(getattr(self, name), text) and (not text or zone == self.zone)

    def choices(self, name: str) -> list[Choice]:
        """Return the two moments that an ambiguous time can mean; nothing for other times."""
        return [] if self.is_untouched(name) else time_fields.choices(getattr(self, name), self.zone)

    def with_more_options(self) -> Self:
        """Return a copy with room for more options."""
        return replace(self, labels=(self.labels + ("",) * FIELDS_MORE)[:MAX_OPTIONS])


def new(typed: Typed) -> NewCompetition:
    """Return the competition that was typed. Raises InvalidInput with a sentence per field."""
    times = _times(typed, TIMES)
    return _check(NewCompetition, {**_texts(typed), **times, "draft": typed.draft})


def changes(typed: Typed, before: Competition) -> dict[str, Any]:
    """Return the fields to change of `before` that may change now. Raises InvalidInput with a sentence per field."""
    fixed = fixed_fields(before) - WORDS
    fixed |= frozenset() if typed.has_words else WORDS  # refuse typed texts with a reason, instead of dropping them
    times = [name for name in TIMES if typed.has_times and name not in fixed and not typed.is_untouched(name)]
    given = {name: value for name, value in _texts(typed).items() if name not in fixed} | _times(typed, times)
    wanted = _check(CompetitionChange, given).changes()
    present = _present(before)
    if wanted.get("description") == one_kind_of_line_break(present["description"]).strip():
        del wanted["description"]  # as a browser returns text that was stored differently
    return {name: value for name, value in wanted.items() if value != present[name]}


def stored_instead(typed: Typed, competition: Competition) -> dict[str, Any]:
    """Return the stored value of each field that differs; nothing for a field that cannot be parsed."""
    try:
        different = changes(typed, competition)
    except InvalidInput:
        return {}
    present = _present(competition)
    return {name: present[name] for name in different}


def with_fixed(typed: Typed, competition: Competition) -> Typed:
    """Return the typed form with stored values in all fields that are fixed now, or were when the form was loaded."""
    stored, fixed = Typed.from_competition(competition), fixed_fields(competition)
    if "options" in fixed:
        typed = replace(typed, labels=stored.labels, allow_change=stored.allow_change)
    if "name" in fixed or not typed.has_words:
        typed = replace(typed, name=stored.name, description=stored.description)
    if not typed.has_times:
        return replace(
            typed, opens_at=stored.opens_at, closes_at=stored.closes_at, zone=stored.zone, shown=stored.shown
        )
    for name in TIMES:
        typed = _as_stored(typed, name, getattr(competition, name))
    return typed


def _as_stored(typed: Typed, name: str, at: datetime | None) -> Typed:
    """Return the stored value of an untouched time field; an empty one for a new competition."""
    try:
        text = time_fields.local(at, typed.zone)
    except UnknownZone:
        return typed
    if not typed.is_untouched(name):
        return typed
    typed = replace(typed, shown={**typed.shown, name: _shown(text, typed.zone)})
    return replace(typed, opens_at=text) if name == "opens_at" else replace(typed, closes_at=text)


def _shown(text: str, zone: str) -> str:
    return f"{text} {zone}" if text else ""


def fixed_fields(competition: Competition, *, has_ballots: bool = False) -> frozenset[str]:
    """Return the fields that can no longer change, because voters rely on them or voting is over."""
    if competition.state in ("closing", "closed", "archived"):
        return ONLY_BEFORE_CLOSING
    fixed = ONLY_BEFORE_VOTING if competition.opened_at is not None else frozenset()
    return fixed | WORDS if has_ballots else fixed


def words_of(competition: Competition) -> dict[str, str]:
    """Return the texts that can be corrected, by field."""
    labels = {f"option_{option.key}": option.label for option in competition.options}
    return {"name": competition.name, "description": competition.description, **labels}


def corrected(form: MultiDict[str, str]) -> dict[str, str]:
    """Return the texts of the submitted correction form."""
    return {name: text.replace("\r\n", "\n") for name, text in form.items() if name in WORDS or name in LETTERED}


def corrections(corrected: Mapping[str, str], before: Competition) -> dict[str, Any]:
    """Return the texts that differ from `before`. Raises InvalidInput with a sentence per field."""
    words = words_of(before)
    given: dict[str, Any] = {name: text for name, text in corrected.items() if name in words}
    wanted = _check(CompetitionChange, with_other_labels({**given, "correction": True}, before)).changes()
    present = _present(before)
    return {name: value for name, value in wanted.items() if value != present[name]}


def _check(model: type[Model], given: dict[str, Any]) -> Model:
    """Validate as `validation.check`, but report duplicate options at the fields that repeat another."""
    try:
        return validation.check(model, given)
    except InvalidInput as error:
        wrong, labels = dict(error.fields), [text_key(label) for label in given.get("options", ())]
        again = [key for n, key in enumerate(OPTION_KEYS[: len(labels)]) if labels[n] in labels[:n]]
        if again and (sentence := wrong.pop("options", None)):
            wrong |= {f"option_{key}": sentence for key in again}
        raise InvalidInput(wrong) from None


def _present(competition: Competition) -> dict[str, Any]:
    """Return the stored fields, times in the precision of their field."""
    times = {name: getattr(competition, name) for name in TIMES}
    return {
        "name": competition.name,
        "description": competition.description,
        "options": [option.label for option in competition.options],
        "allow_change": competition.allow_change,
        "results_visibility": competition.results_visibility,
        **{name: at and at.replace(microsecond=0) for name, at in times.items()},
    }


def _texts(typed: Typed) -> dict[str, Any]:
    labels = [label for label in typed.labels if label.strip()]
    return {
        "name": typed.name,
        "description": typed.description,
        "options": labels + [""] * (MIN_OPTIONS - len(labels)),
        "allow_change": typed.allow_change,
        "results_visibility": typed.results_visibility,
    }


def _times(typed: Typed, names: Iterable[str]) -> dict[str, datetime | None]:
    times: dict[str, datetime | None] = {}
    wrong: dict[str, str] = {}
    for name in names:
        try:
            times[name] = time_fields.moment(getattr(typed, name), typed.zone, typed.chosen.get(name, ""))
        except UnknownZone as error:
            wrong["zone"] = str(error)
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        raise InvalidInput(wrong)
    return times


def _padded(labels: Iterable[str]) -> tuple[str, ...]:
    found = tuple(labels)
    return found + ("",) * (FIELDS_AT_FIRST - len(found))
