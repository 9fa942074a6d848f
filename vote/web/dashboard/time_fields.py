"""Times as people type them: a date and a time of day in a zone, and which moment that is (PEP 495, PEP 615).

Once a year a time of day comes twice and another one does not come at all. Nobody is left to guess then: for the first
who typed it chooses, for the second the next time that comes is named.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WITHOUT_ZONE = "%Y-%m-%dT%H:%M"
SHAPE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
UNREADABLE = "Give the date and time as 2030-01-31T18:00, or choose them from the calendar."
UNKNOWN_ZONE = "Unknown time zone. Use a name such as Europe/Berlin or UTC."
TWICE = "{time} occurs twice on that day, because clocks go back. Choose the one you mean."
NEVER = "{time} does not occur on {day}, because clocks go forward. The next possible time is {next}."


class UnknownZone(ValueError):
    """This time zone is not known."""


class Choice(NamedTuple):
    """One of the two moments that a time of day can mean. `moment` is it in UTC, as a form sends it."""

    moment: str
    label: str


def moment(text: str, zone_name: str, chosen: str = "") -> datetime | None:
    """Return the moment in UTC that was typed, None for nothing. `chosen` names one of `choices`, where there are two.

    Raises UnknownZone, and ValueError with the sentence for who typed it. A text that names its own distance from UTC needs
    no zone.
    """
    if not text:
        return None
    wall = _wall(text)
    if wall.tzinfo is not None:
        return _in_utc(wall)
    found = _moments(wall, zone_of(zone_name))
    if not found:
        raise ValueError(NEVER.format(time=_time(wall), day=wall.date(), next=_next(wall, zone_of(zone_name))))
    if len(found) == 1:
        return found[0]
    for one in found:
        if one.isoformat() == chosen:
            return one
    raise ValueError(TWICE.format(time=_time(wall)))


def choices(text: str, zone_name: str) -> list[Choice]:
    """Return the two moments that a time can mean, the earlier first; nothing where it means one, or none."""
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
    """Return whether two texts say the same, however a browser writes it."""
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
    """Every moment at which clocks of the zone show this: one, two of the doubled hour, none of the missing one."""
    found = {_in_utc(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)}
    return sorted(one for one in found if one.astimezone(zone).replace(tzinfo=None) == wall)


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError(UNREADABLE) from None


def _next(wall: datetime, zone: tzinfo) -> str:
    """The first time that clocks show after those that they leave out."""
    before, after = (_in_utc(wall.replace(tzinfo=zone, fold=fold)) for fold in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    first = (after.replace(microsecond=0) + timedelta(seconds=after.microsecond > 0)).astimezone(zone)
    return f"{first:{WITHOUT_ZONE}}"


def _time(wall: datetime) -> str:
    return f"{wall:%H:%M}"


def _label(which: str, at: datetime, zone: tzinfo) -> str:
    here = at.astimezone(zone)
    season = "summer time, " if here.dst() else ""
    offset = f"{here:%z}"
    return f"The {which}: {season}UTC{offset[:3]}:{offset[3:5]}, that is {at:%H:%M} UTC"
