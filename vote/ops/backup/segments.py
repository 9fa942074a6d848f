"""WAL files without a server: names, positions, timelines, and checking a file against its name. Pure."""

import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from vote.errors import BackupUnusable

SEGMENT = re.compile(r"[0-9A-F]{24}")
HISTORY = re.compile(r"[0-9A-F]{8}\.history")
PAGE_HEADER = struct.Struct("<HHIQI4xQII")  # XLogLongPageHeaderData (xlog_internal.h), 40 bytes on 64-bit machines
LONG_HEADER = 0x0002  # XLP_LONG_HEADER
IDS = 0x1_0000_0000


class Segment(NamedTuple):
    """A WAL file: the `number`-th since the beginning, as written on `timeline`."""

    timeline: int
    number: int

    def name(self, size: int) -> str:
        """Return its file name for this segment size."""
        per_id = IDS // size
        return f"{self.timeline:08X}{self.number // per_id:08X}{self.number % per_id:08X}"


class Leg(NamedTuple):
    """A timeline, and the LSN where the next one branches off (None: it is the last)."""

    timeline: int
    until: int | None


def parse_lsn(text: str) -> int:
    """Return `0/16B3748` as a number."""
    high, low = text.split("/")
    return int(high, 16) * IDS + int(low, 16)


def format_lsn(lsn: int) -> str:
    """Return a number in PostgreSQL's notation."""
    return f"{lsn // IDS:X}/{lsn % IDS:X}"


def parse_segment(name: str, size: int) -> Segment:
    """Return the segment with this file name."""
    per_id = IDS // size
    return Segment(int(name[:8], 16), int(name[8:16], 16) * per_id + int(name[16:24], 16))


def parse_history(timeline: int, text: str) -> list[Leg]:
    """Return the timelines that lead to `timeline`, oldest first and including it, from its history file."""
    legs = []
    for line in text.splitlines():
        fields = line.split("#")[0].split()
        if fields:
            legs.append(Leg(int(fields[0]), parse_lsn(fields[1])))
    return [*legs, Leg(timeline, None)]


def needed(legs: Iterable[Leg], *, timeline: int, start: int, size: int) -> list[tuple[int, int, int | None]]:
    """Return (timeline, first number, last number or None for all there are) of the files that a recovery from `start`
    reads.

    `legs` leads to the timeline to end on. Raises BackupUnusable when it does not pass `timeline` at `start`.
    """
    ranges: list[tuple[int, int, int | None]] = []
    begin = start // size
    for leg in legs:
        if not ranges and leg.timeline != timeline:
            continue
        if not ranges and leg.until is not None and leg.until <= start:
            break
        # The file in which a timeline ends is started again, with the same content, on the next one.
        last = None if leg.until is None else leg.until // size - 1
        ranges.append((leg.timeline, begin, last))
        begin = begin if last is None else max(begin, last + 1)
    if not ranges:
        raise BackupUnusable(
            f"This backup is on timeline {timeline}, after the point where an earlier restore abandoned it."
            " Choose an older backup, or this timeline with --timeline."
        )
    return ranges


def check_head(name: str, head: bytes, *, system: str, size: int) -> None:
    """Raise BackupUnusable unless the first page belongs to the segment `name` of this database system."""
    segment = parse_segment(name, size)
    _, info, timeline, address, _, found_system, segment_size, _ = PAGE_HEADER.unpack_from(head)
    # After a promotion, a file starts with pages written on an older timeline.
    if not info & LONG_HEADER or address != segment.number * size or timeline > segment.timeline:
        raise BackupUnusable(f"The WAL file {name} contains something else than its name says.")
    if str(found_system) != system or segment_size != size:
        raise BackupUnusable(f"The WAL file {name} belongs to another database system ({found_system}).")
