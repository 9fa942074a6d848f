"""Models of competitions, results and receipts in the API. The dashboard's forms use them too."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticKnownError

from vote.domain import folding
from vote.domain.competition import MAX_OPTIONS, MIN_OPTIONS, OPTION_KEYS, Competition, Correction, State, Visibility
from vote.input_limits import DESCRIPTION_MAX_CHARS, LABEL_MAX_CHARS, NAME_MAX_CHARS
from vote.web import validation
from vote.web.api.models import NEXT, Input, Output

FIRST_YEAR, LAST_YEAR = 2000, 2199  # a time beyond these is a typo; every store can hold the times between them
NOT_SHOWN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
NOTHING_TO_SEE = "This has no visible characters. Write some text."
LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
LETTERED = tuple(f"option_{key}" for key in OPTION_KEYS)


def _one_line(value: str) -> str:
    if LINE_BREAKS.search(value):
        raise ValueError("Use one line, without control characters.")
    if folding.BIDI_CONTROLS.search(value):
        raise ValueError("Remove the characters that change the writing direction. Pages detect it automatically.")
    return visible(value)


def visible(value: str) -> str:
    """Return the text. Raises ValueError if nothing in it is visible; the minimum length refuses an empty one."""
    if value and not folding.is_visible(value):
        raise ValueError(NOTHING_TO_SEE)
    return value


def readable(value: str) -> str:
    """Return the text with uniform line breaks. Raises ValueError for invisible characters."""
    if NOT_SHOWN.search(value):
        raise ValueError("Remove the invisible control characters.")
    return one_kind_of_line_break(value)


def at_most(max_chars: int) -> BeforeValidator:
    """Count characters as they were sent: the API document's maxLength knows nothing of blanks that are stripped later."""

    def count(value: object) -> object:
        if isinstance(value, str) and len(value) > max_chars:
            raise PydanticKnownError("string_too_long", {"max_length": max_chars})
        return value

    return BeforeValidator(count)


def one_kind_of_line_break(value: str) -> str:
    """Return the text with the line breaks that every browser would send for it."""
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _time_text(value: object) -> object:
    if value == "" or value is None:
        return None
    if not isinstance(value, str | datetime) or (
        isinstance(value, str) and not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value)
    ):
        raise ValueError(validation.TIME)
    return value


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"Choose a time between {FIRST_YEAR} and {LAST_YEAR}.")
    return value.astimezone(UTC)


def _different(labels: list[str]) -> list[str]:
    if len({folding.text_key(label) for label in labels}) < len(labels):
        raise ValueError("Two options have the same text. Give each its own.")
    return labels


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAX_CHARS),
    AfterValidator(_one_line),
    at_most(NAME_MAX_CHARS),
]
Description = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=DESCRIPTION_MAX_CHARS),
    AfterValidator(readable),
    at_most(DESCRIPTION_MAX_CHARS),
]
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_MAX_CHARS),
    AfterValidator(_one_line),
    at_most(LABEL_MAX_CHARS),
]
Labels = Annotated[list[Label], Field(min_length=MIN_OPTIONS, max_length=MAX_OPTIONS), AfterValidator(_different)]
Time = Annotated[AwareDatetime | None, BeforeValidator(_time_text), AfterValidator(_in_utc)]


def _gather_options(given: Any) -> Any:
    """Collect `option_a`, `option_b`, … into `options`. Drops empty ones at the end, which forms send."""
    if not isinstance(given, Mapping) or not any(name in given for name in LETTERED):
        return given
    if "options" in given:
        raise ValueError("Send either options, or option_a, option_b and so on, not both.")
    labels = [given.get(name) for name in LETTERED]
    while len(labels) > MIN_OPTIONS and labels[-1] in (None, ""):
        labels.pop()
    return {
        **{name: value for name, value in given.items() if name not in LETTERED},
        "options": ["" if label is None else label for label in labels],
    }


def _say_lettered(schema: dict[str, Any]) -> None:
    for number, name in enumerate(LETTERED):
        least = {"minLength": 1} if number < MIN_OPTIONS else {}  # empty ones at the end are dropped
        schema["properties"][name] = {"type": "string", **least, "maxLength": LABEL_MAX_CHARS}
    if "options" in schema.get("required", []):
        schema["required"].remove("options")
        schema["anyOf"] = [{"required": ["options"]}, {"required": list(LETTERED[:MIN_OPTIONS])}]


class NewCompetition(Input):
    """A competition to create. Give the options as `options`, or as `option_a`, `option_b` and so on up to `option_z`."""

    model_config = ConfigDict(json_schema_extra=_say_lettered)

    name: Name
    options: Labels
    description: Description = ""
    opens_at: Time = Field(default=None, description="Without it, voting starts at once.")
    closes_at: Time = Field(default=None, description="Without it, voting stays open until someone closes it.")
    allow_change: bool = Field(default=False, description="Whether voters can change their vote while voting is open.")
    results_visibility: Visibility = "live"
    draft: bool = Field(
        default=False,
        description="Keep it a draft: only its organiser and admins see it until it is opened or scheduled.",
    )

    _gather = model_validator(mode="before")(_gather_options)


class CompetitionChange(Input):
    """The fields to change. The others stay as they are."""

    model_config = ConfigDict(json_schema_extra=_say_lettered)

    name: Name = Field(default_factory=str)  # never used: `changes` returns only sent fields
    options: Labels = Field(default_factory=list)
    description: Description = ""
    opens_at: Time = None
    closes_at: Time = None
    allow_change: bool = False
    results_visibility: Visibility = "live"
    correction: bool = Field(
        default=False,
        description="Correct name, description or labels while voting is open. Everyone sees old and new words.",
    )

    _gather = model_validator(mode="before")(_gather_options)

    def changes(self) -> dict[str, Any]:
        """Return only the fields that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"correction"}}


def with_other_labels(given: dict[str, Any], competition: Competition) -> dict[str, Any]:
    """Fill in the stored labels that a correction does not name: it may name a single one, as `option_b`."""
    if not given.get("correction") or not any(name in given for name in LETTERED):
        return given
    stored = {f"option_{option.key}": option.label for option in competition.options}
    return {**stored, **given}


class OptionOut(Output):
    """An option."""

    key: str
    label: str
    description: str


class CorrectionOut(Output):
    """A correction made while voting was open."""

    at: datetime
    by: str | None = Field(description="The username; null if the account is deleted.")
    field: str = Field(description="`name`, `description`, or `option_a` and so on.")
    before: str
    after: str

    @classmethod
    def all_of(cls, corrections: Iterable[Correction], names: Mapping[int, str]) -> list[Self]:
        """Convert the domain's corrections. `names`: usernames of the people who made them."""
        return [
            cls(at=one.at, by=names.get(one.by or 0), field=one.field, before=one.before, after=one.after)
            for one in corrections
        ]


class CompetitionOut(Output):
    """A competition as everyone sees it."""

    id: int
    name: str
    description: str
    state: State
    options: list[OptionOut]
    opens_at: datetime | None
    closes_at: datetime | None
    allow_change: bool
    results_visibility: Visibility
    revision: int = Field(description="Grows with every change. Messages on the socket carry it too.")
    final: bool = Field(description="Whether the result is final.")
    reopened_at: datetime | None = Field(description="When voting was last reopened; null if never.")
    previous_final_at: datetime | None = Field(
        description="When the result that the reopening replaced had become final; null if none was final."
    )
    corrections: list[CorrectionOut] = Field(description="Corrections made while voting was open, oldest first.")

    @classmethod
    def from_competition(cls, competition: Competition, names: Mapping[int, str], **others: Any) -> Self:
        """Convert the domain's competition. `names`: usernames for its corrections; `others`: fields beyond the
        domain's.
        """
        others["final"] = competition.is_final
        others["corrections"] = CorrectionOut.all_of(competition.corrections, names)
        stored = {name: getattr(competition, name) for name in cls.model_fields.keys() - others.keys()}
        return cls(**stored, **others)


class ManagedCompetition(CompetitionOut):
    """A competition as those who manage it see it."""

    organiser_id: int | None
    created_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None


NextId = Annotated[int | None, Field(description=NEXT)]


class CompetitionList(Output):
    """A page of competitions, newest first."""

    competitions: list[CompetitionOut]
    next: NextId


class ManagedList(Output):
    """A page of competitions that you manage, newest first."""

    competitions: list[ManagedCompetition]
    next: NextId


class Results(Output):
    """A tally. Every option is present; the version only grows."""

    competition: int
    version: int
    state: State
    total: int
    options: dict[str, int]
