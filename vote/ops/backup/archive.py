"""The WAL that was streamed: sealed file by file, and let go when no backup needs it any more."""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from vote.ops.backup.encryption import Recipient, seal
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.segments import HISTORY, SEGMENT, Segment, parse_lsn, parse_segment

SUFFIX = ".gz.age"
PARTIAL = ".partial"
NOTE = "flushed.json"


class Flushed(NamedTuple):
    """Up to where the stream has told the server that the WAL is on its disk: no restore may end before. `sha256` is of
    the file that was being written, up to there: until it is sealed, this is what shows a changed byte.
    """

    timeline: int
    lsn: str
    sha256: str


class Prefix:
    """The hash of the file that is being written, up to a place that grows: each byte is read once."""

    def __init__(self, stream: Path) -> None:
        self._stream = stream
        self._name, self._done, self._hash = "", 0, hashlib.sha256()

    def sha256(self, timeline: int, lsn: int, size: int) -> str | None:
        """The hash up to `lsn`; None when the file is not there (it was finished meanwhile)."""
        name = Segment(timeline, lsn // size).name(size)
        if name != self._name or lsn % size < self._done:
            self._name, self._done, self._hash = name, 0, hashlib.sha256()
        try:
            with (self._stream / (name + PARTIAL)).open("rb") as file:
                file.seek(self._done)
                self._hash.update(file.read(lsn % size - self._done))
        except FileNotFoundError:
            if lsn % size:
                return None
        self._done = lsn % size
        return self._hash.hexdigest()


def seal_complete(stream: Path, wal: Path, recipient: Recipient) -> int:
    """Seal what the stream has finished and remove it in the clear. Returns the number of files."""
    done = 0
    for file in sorted(stream.iterdir()):
        if SEGMENT.fullmatch(file.name) or HISTORY.fullmatch(file.name):
            _seal(file, wal / (file.name + SUFFIX), recipient)
            file.unlink()
            done += 1
    return done


def seal_rest(stream: Path, wal: Path, recipient: Recipient) -> None:
    """Seal everything, the unfinished segment too: this stream does not go on where it was."""
    if not stream.is_dir():
        return
    seal_complete(stream, wal, recipient)
    for file in sorted(stream.glob("*" + PARTIAL)):
        _seal(file, wal / (file.name + SUFFIX), recipient, again=True)
        file.unlink()
    (stream / NOTE).unlink(missing_ok=True)


def prune(wal: Path, kept: list[Manifest]) -> int:
    """Remove sealed segments that lie before all kept backups. Returns how many. History files stay: they are small."""
    if not kept or not wal.is_dir():
        return 0
    size = kept[0].segment_bytes
    first = min(parse_lsn(manifest.start_lsn) for manifest in kept) // size
    old = [
        one
        for one in wal.glob("*" + SUFFIX)
        if SEGMENT.match(one.name) and parse_segment(one.name, size).number < first
    ]
    for one in old:
        one.unlink()
    return len(old)


def note(stream: Path, flushed: Flushed) -> None:
    """Remember up to where the stream is on disk. Cheap: it is written every second and may be a second old."""
    new = stream / (NOTE + ".new")
    new.write_text(json.dumps(flushed._asdict()))
    new.rename(stream / NOTE)


def noted(stream: Path) -> Flushed | None:
    """What was remembered last."""
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        return Flushed(**json.loads((stream / NOTE).read_text()))
    return None


def _seal(file: Path, target: Path, recipient: Recipient, *, again: bool = False) -> None:
    # A file streamed twice (after a crash between sealing and removing) is the same file: the first one stays.
    if again or not target.exists():
        with file.open("rb") as source:
            seal(source, target, recipient)
