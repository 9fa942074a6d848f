"""Lines of vote-app as the shipper finds them in a container's file, and what has become of them in the store."""

import json
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

PIECE = 16 * 1024  # bytes: Docker's json-file cuts what is longer
WHEN = "2026-11-30T20:15:04.512345678Z"


def line(number: int, part: str = "web") -> str:
    """Return a line of the log as the web or the worker writes it, with a number to know it by."""
    content: dict[str, object] = {"time": "2026-11-30T20:15:04.512345+00:00", "level": "info", "part": part}
    if part == "worker":
        content |= {
            "event": "batch",
            "shard": 3,
            "epoch": "5c1d2e3f4a5b6c7d",
            "after": 11,
            "last": number,
            "ballots": 9,
        }
        content |= {"unmatched": 0, "rejected": 0, "ms": 8.2, "oldest_ms": 31}
    else:
        content |= {"event": "request", "request_id": f"{number:032x}", "method": "POST", "path": "/vote/1"}
        content |= {"status": 202, "ms": 2.31, "competition": 1, "outcome": "accepted", "position": number}
    return json.dumps(content)


def number_of(text: str) -> tuple[str, int]:
    """Return part and number of a line. Raises ValueError or KeyError when it is none of ours."""
    content = json.loads(text)
    return content["part"], content["last" if content["part"] == "worker" else "position"]


class ContainerFile:
    """The file that Docker's json-file driver writes for one container."""

    def __init__(self, containers: Path, name: str) -> None:
        self._path = containers / name / f"{name}-json.log"
        self._path.parent.mkdir(parents=True)
        self._path.touch()

    def write(self, texts: Iterable[str]) -> None:
        """Write lines as Docker does: a JSON object each, long ones in pieces of which the last ends in a line feed."""
        wholes = (text + "\n" for text in texts)
        self._append(whole[start : start + PIECE] for whole in wholes for start in range(0, len(whole), PIECE))

    def write_unfinished(self, text: str) -> None:
        """Write a piece without an end, as Docker does when a container ends within a line."""
        self._append([text])

    def _append(self, pieces: Iterable[str]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            for piece in pieces:
                entry = {"log": piece, "stream": "stdout", "time": WHEN}
                file.write(json.dumps(entry, separators=(",", ":"), ensure_ascii=False) + "\n")

    def rotate(self) -> None:
        """Begin a new file, as Docker does at `max-size`."""
        self._path.rename(self._path.with_name(f"{self._path.name}.1"))
        self._path.touch()


class Flow(threading.Thread):
    """A container that writes lines at a steady rate until it is stopped."""

    def __init__(self, file: ContainerFile, *, rate: float) -> None:
        super().__init__()
        self._file, self._pause_s, self._ends, self.count = file, 1 / rate, threading.Event(), 0

    def __enter__(self) -> "Flow":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self.join()

    def run(self) -> None:
        """Write until the end."""
        due = time.monotonic()
        while not self._ends.wait(max(0.0, due - time.monotonic())):
            self._file.write([line(self.count)])
            self.count += 1
            due += self._pause_s


class Verdict(NamedTuple):
    """What has become of lines: how many of them are lost, came twice, are broken, or came before an earlier one."""

    lost: int
    doubled: int
    broken: int
    out_of_order: int


def judge(sent: Iterable[tuple[str, int]], stored: Sequence[str]) -> Verdict:
    """Compare parts and numbers of what was written with the lines of the store; order is by part, of first copies."""
    seen: dict[tuple[str, int], None] = {}
    newest: dict[str, int] = {}
    broken = out_of_order = 0
    for text in stored:
        try:
            part, number = number_of(text)
        except (ValueError, KeyError, TypeError):
            broken += 1
            continue
        if (part, number) not in seen:
            out_of_order += number < newest.get(part, -1)
            newest[part] = number
        seen[part, number] = None
    return Verdict(len(set(sent) - seen.keys()), len(stored) - broken - len(seen), broken, out_of_order)
