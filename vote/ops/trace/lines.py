"""Finds the lines that belong to a request, and those of all batches, in files of lines."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Line = dict[str, Any]


class LogPlace(NamedTuple):
    """The place of an entry in the ballot log."""

    shard: int
    epoch: str
    position: int


@dataclass(slots=True)
class TracedLines:
    """The lines of a request, oldest first: those that end it (of nginx and the web), and what happened in it.

    `batches` are those of all ballots: which one is ours shows only once the place of the ballot is known.
    """

    requests: list[Line] = field(default_factory=list)
    events: list[Line] = field(default_factory=list)
    batches: list[Line] = field(default_factory=list)

    @property
    def places(self) -> set[LogPlace]:
        """Return the places in the log that the web was told of."""
        return {
            LogPlace(line["shard"], line["epoch"], line["position"]) for line in self.requests if "position" in line
        }

    def batch_of(self, place: LogPlace) -> Line | None:
        """Return the line of the batch that recorded an entry; None when it is not among these lines."""
        for line in self.batches:
            is_here = (line.get("shard"), line.get("epoch")) == (place.shard, place.epoch)
            if is_here and line.get("after", 0) < place.position <= line.get("last", -1):
                return line
        return None


def read(texts: Iterable[str], half: str) -> TracedLines:
    """Return the lines of requests whose id begins with these 16 digits. What is no line of ours is passed over.

    A collector may have put something before each line, such as the name of a container.
    """
    found = TracedLines()
    for text in texts:
        if half in text or '"batch"' in text:
            line = _parsed(text)
            if line.get("event") == "batch":
                found.batches.append(line)
            elif str(line.get("request_id", "")).startswith(half):
                (found.requests if line.get("event") == "request" else found.events).append(line)
    for lines in (found.requests, found.events):
        lines.sort(key=lambda line: str(line.get("time", "")))
    return found


def _parsed(text: str) -> Line:
    try:
        line = json.loads(text[text.index("{") :])
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}
