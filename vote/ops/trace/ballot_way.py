"""Puts together where a ballot was, and says it in lines for people. Knows neither its voter nor its choice."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from vote.ballotlog.log import BallotLog
from vote.db import ballot_traces
from vote.db.ballot_traces import TracedBallot
from vote.db.pool import Database
from vote.errors import DatabaseUnavailable, LogUnavailable
from vote.ops.trace.lines import Line, LogPlace, TracedLines

EntryStatus = Literal["there", "not there", "unknown"]
PARTS = ("nginx", "web")  # in the order of the way
AT = "%Y-%m-%dT%H:%M:%S.%f"


@dataclass(slots=True)
class BallotWay:
    """One ballot's place in the log, what is there now, the batch that recorded it, and its row."""

    place: LogPlace
    entry: EntryStatus
    batch: Line | None
    row: TracedBallot | None
    is_rejected: bool = False
    gaps: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        row = self.row
        return {
            **self.place._asdict(),
            "entry": self.entry,
            "batch": self.batch,
            "status": "rejected" if self.is_rejected else row.status if row else None,
            "id": row.id.hex if row else None,
            "competition": row.competition if row else None,
            "cast_at": row.cast_at.isoformat() if row else None,
            "written_at": row.written_at.isoformat() if row else None,
            "row": row.row if row else None,
            "gaps": self.gaps,
        }


def follow(half: str, lines: TracedLines, db: Database, log: BallotLog) -> list[BallotWay]:
    """Return the way of each ballot whose id begins with these 16 digits. Raises DatabaseUnavailable."""
    with db.read() as tx:
        rows = {LogPlace(row.shard, row.epoch, row.position): row for row in ballot_traces.find(tx, half)}
        ways = []
        for place in sorted(rows.keys() | lines.places):
            way = BallotWay(place, _entry(log, place, half), lines.batch_of(place), rows.get(place))
            if way.row is None:
                way.is_rejected = ballot_traces.is_rejected(tx, **place._asdict())
                way.gaps = ballot_traces.gaps_over(tx, **place._asdict())
            ways.append(way)
    return ways


def without_database(lines: TracedLines) -> list[BallotWay]:
    """Return what the lines alone say."""
    return [BallotWay(place, "unknown", lines.batch_of(place), None) for place in sorted(lines.places)]


def _entry(log: BallotLog, place: LogPlace, half: str) -> EntryStatus:
    try:
        entry = log.entry_at(place.shard, place.position)
    except (LogUnavailable, DatabaseUnavailable):
        return "unknown"
    return "there" if entry is not None and entry.id.startswith(half) else "not there"


def report(lines: TracedLines, ways: list[BallotWay], *, has_rows: bool) -> Iterator[str]:
    """Yield the way in lines: time in UTC, part, what happened."""
    for line in sorted(lines.requests, key=lambda line: PARTS.index(line["part"]) if line["part"] in PARTS else 0):
        yield _row(line["time"], line["part"], _request(line))
    for line in lines.events:
        yield _row(line["time"], line["part"], _event(line))
    for way in ways:
        yield from _report_one(way, has_rows=has_rows)


def _report_one(way: BallotWay, *, has_rows: bool) -> Iterator[str]:
    place, row, batch = way.place, way.row, way.batch
    cast_at = _moment(row.cast_at) if row else ""
    yield _row(
        cast_at, "log", f"shard {place.shard}, position {place.position}, epoch {place.epoch}: {_ENTRY[way.entry]}"
    )
    if batch is not None:
        text = f"batch {batch['after'] + 1} to {batch['last']}: {batch['ballots']} ballots in {batch['ms']:g} ms"
        yield _row(batch["time"], "worker", text)
    if row is not None:
        where = f"row {row.row} of the journal" if row.row is not None else "kept aside as unmatched"
        yield _row(_moment(row.written_at), "database", f"{where}, competition {row.competition}, ballot {row.id.hex}")
    elif way.is_rejected:
        yield _row("", "database", "kept aside: the entry cannot be read")
    elif not has_rows:
        yield _row("", "database", "does not answer")
    else:
        yield _row("", "database", f"no row: {_reason_without_row(way)}")


_ENTRY = {
    "there": "the entry is there",
    "not there": "the entry is not there, or no longer",
    "unknown": "the log does not answer",
}


def _reason_without_row(way: BallotWay) -> str:
    if way.gaps:
        return f"it lies in gap {', '.join(map(str, way.gaps))} (docs/protocol.md, R6)"
    return "it waits for a worker" if way.entry == "there" else "it is neither in the log nor in a gap"


def _request(line: Line) -> str:
    took = f"{line['ms']:g} ms" if "ms" in line else f"{line.get('seconds', 0):g} s"
    text = f"{line['method']} {line['path']}: {line['status']} in {took}"
    if "outcome" in line:
        text += f", {line['outcome']} in competition {line['competition']}"
    return text + (f", {line['why']}" if "why" in line else "")


def _event(line: Line) -> str:
    details = [str(line[name]) for name in ("why", "reason", "statement") if name in line]
    return ": ".join([line["event"], *details])


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).strftime(AT)}Z"


def _row(time: str, part: str, text: str) -> str:
    return f"{time.replace('+00:00', 'Z'):<28}{part:<10}{text}"
