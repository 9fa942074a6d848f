"""Converts times that people type, a date and a time of day in a zone, into moments (PEP 495, PEP 615).

Once a year a time of day occurs twice and another does not occur. Nothing is guessed: for an ambiguous time the user
chooses, for a skipped one the next valid time is named.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WITHOUT_ZONE = "%Y-%m-%dT%H:%M"
SHAPE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
UNREADABLE = "Give the date and time as 2030-01-31T18:00, or choose them from the calendar."
UNKNOWN_ZONE = "Unknown time zone. Use a name such as Europe/Berlin or UTC."
TWICE = "{time:%H:%M} occurs twice on that day, because clocks go back. Choose the one you mean."
NEVER = "{time:%H:%M} does not occur on {day}, because clocks go forward. The next possible time is {next}."


class UnknownZone(ValueError):
    """This time zone is not known."""


class Choice(NamedTuple):
    """One of two moments that an ambiguous time can mean. `moment` has it in UTC, as a form sends it."""

    moment: str
    label: str


def moment(text: str, zone_name: str, chosen: str = "") -> datetime | None:
    """Return the typed moment in UTC; None for nothing. `chosen` selects one of `choices` for an ambiguous time.

    Raises UnknownZone, and ValueError with a sentence for the user. A text with a UTC offset needs no zone.
    """
    if not text:
        return None
    wall = _wall(text)
    if wall.tzinfo is not None:
        return _in_utc(wall)
    zone = zone_of(zone_name)
    found = _moments(wall, zone)
    if not found:
        raise ValueError(NEVER.format(time=wall, day=wall.date(), next=_next(wall, zone)))
    if len(found) == 1:
        return found[0]
    for one in found:
        if one.isoformat() == chosen:
            return one
    raise ValueError(TWICE.format(time=wall))


def choices(text: str, zone_name: str) -> list[Choice]:
    """Return the two moments of an ambiguous time, the earlier first; nothing for other times."""
    try:
        wall, zone = _wall(text), zone_of(zone_name)
        found = [] if wall.tzinfo is not None else _moments(wall, zone)
    except ValueError:
        return []
    if len(found) < 2:
        return []
    return [
        Choice(one.isoformat(), _label(which, one, zone)) for which, one in zip(("first", "second"), found, strict=True)
    ]


def is_same(text: str, other: str) -> bool:
    """Return whether two texts mean the same time, in any browser's notation."""
    try:
        return text == other or _wall(text) == _wall(other)
    except (ValueError, TypeError):
        return False


def local(at: datetime | None, zone_name: str = "UTC") -> str:
    """Return a moment as the field shows it, to the second; empty for none. Raises UnknownZone."""
    if at is None:
        return ""
    return f"{at.astimezone(zone_of(zone_name)):{WITHOUT_ZONE + (':%S' if at.second else '')}}"


def zone_of(name: str) -> tzinfo:
    """Return the zone with this name. Raises UnknownZone."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(UNKNOWN_ZONE) from None


def _wall(text: str) -> datetime:
    if not SHAPE.match(text):
        raise ValueError(UNREADABLE)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(UNREADABLE) from None


def _moments(wall: datetime, zone: tzinfo) -> list[datetime]:
    """Return the moments at which the zone's clocks show this time: one, two for a repeated hour, none for a skipped
    one.
    """
    found = {_in_utc(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)}
    return sorted(one for one in found if one.astimezone(zone).replace(tzinfo=None) == wall)


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(UNREADABLE) from None


def _next(wall: datetime, zone: tzinfo) -> str:
    """Return the first minute after the times that the zone's clocks skip."""
    following = wall.replace(second=0, microsecond=0)
    while not _moments(following, zone):
        following += timedelta(minutes=1)
    return f"{following:{WITHOUT_ZONE}}"


def _label(which: str, at: datetime, zone: tzinfo) -> str:
    here = at.astimezone(zone)
    season = "summer time, " if here.dst() else ""
    offset = f"{here:%z}"
    return f"The {which}: {season}UTC{offset[:3]}:{offset[3:5]}, that is {at:%H:%M} UTC"
