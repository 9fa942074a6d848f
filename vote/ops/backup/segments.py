"""WAL files without a server: names, positions, timelines, and checking a file against its name. Pure.

PostgreSQL's programs do not do this for us: a server takes a missing file for the end of its WAL, and pg_waldump reads one
timeline at a time and does not know which database system a file belongs to.
"""

import re
import struct
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
    """A timeline, and the LSN where it branches off the one before."""

    timeline: int
    begin: int


def parse_lsn(text: str) -> int:
    """Return `0/16B3748` as a number."""
    high, low = text.split("/")
    return int(high, 16) * IDS + int(low, 16)


def format_lsn(lsn: int) -> str:
    """Return a number in PostgreSQL's notation."""
    return f"{lsn // IDS:X}/{lsn % IDS:X}"


def parse_segment(name: str, size: int) -> Segment:
    """Return the segment with this file name."""
    return Segment(int(name[:8], 16), int(name[8:16], 16) * (IDS // size) + int(name[16:24], 16))


def parse_history(timeline: int, text: str) -> list[Leg]:
    """Return the timelines that lead to `timeline`, oldest first and including it, from its history file."""
    lines = [fields for line in text.splitlines() if (fields := line.split("#")[0].split())]
    begins = [0, *(parse_lsn(fields[1]) for fields in lines)]
    return [Leg(*leg) for leg in zip([*(int(fields[0]) for fields in lines), timeline], begins, strict=True)]


def needed(legs: list[Leg], *, timeline: int, start: int, last: int, size: int) -> list[Segment]:
    """Return the files that a recovery from `start` on `timeline` reads, up to the file with number `last`.

    `legs` leads to the timeline to end on. Raises BackupUnusable when it does not pass `timeline` at `start`.
    """
    if [leg.timeline for leg in legs if leg.begin <= start][-1] != timeline:
        raise BackupUnusable(
            f"This backup is on timeline {timeline}, after the point where an earlier restore abandoned it."
            " Choose an older backup, or this timeline with --timeline."
        )
    # The file in which a timeline ends is started again, with the same content, on the next one.
    return [
        Segment([leg.timeline for leg in legs if leg.begin // size <= number][-1], number)
        for number in range(start // size, last + 1)
    ]


def check_content(name: str, content: bytes, *, system: str, size: int) -> None:
    """Raise BackupUnusable unless the content belongs to the segment `name` of this database system."""
    if len(content) != size:
        raise BackupUnusable(f"The WAL file {name} has {len(content)} bytes: it was truncated.")
    segment = parse_segment(name, size)
    _, info, timeline, address, _, found_system, segment_size, _ = PAGE_HEADER.unpack_from(content)
    # After a promotion, a file starts with pages written on an older timeline.
    if not info & LONG_HEADER or address != segment.number * size or timeline > segment.timeline:
        raise BackupUnusable(f"The WAL file {name} contains something else than its name says.")
    if str(found_system) != system or segment_size != size:
        raise BackupUnusable(f"The WAL file {name} belongs to another database system ({found_system}).")
