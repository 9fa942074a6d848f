"""Archive streamed WAL: seal it file by file, and remove it when no backup needs it any more."""

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
    """The WAL position that the stream has confirmed to the server as on its disk: no restore may end before it.

    `sha256` covers the unfinished file up to there: until that file is sealed, only this hash reveals a changed byte.
    """

    timeline: int
    lsn: str
    sha256: str


class Prefix:
    """The incremental hash of the unfinished file up to a growing position: each byte is read once."""

    def __init__(self, stream: Path) -> None:
        self._stream = stream
        self._name, self._done, self._hash = "", 0, hashlib.sha256()

    def sha256(self, timeline: int, lsn: int, size: int) -> str | None:
        """Return the hash up to `lsn`; None when the file is gone because it was finished meanwhile."""
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
    """Seal the files that the stream has finished and remove the plain ones. Returns their number."""
    sealed = 0
    for file in sorted(stream.iterdir()):
        if SEGMENT.fullmatch(file.name) or HISTORY.fullmatch(file.name):
            _seal(file, wal / (file.name + SUFFIX), recipient)
            file.unlink()
            sealed += 1
    return sealed


def seal_rest(stream: Path, wal: Path, recipient: Recipient) -> None:
    """Seal everything including the unfinished segment, for a stream that will not continue from here."""
    if not stream.is_dir():
        return
    seal_complete(stream, wal, recipient)
    for file in sorted(stream.glob("*" + PARTIAL)):
        _seal(file, wal / (file.name + SUFFIX), recipient, again=True)
        file.unlink()
    (stream / NOTE).unlink(missing_ok=True)


def prune(wal: Path, kept: list[Manifest]) -> int:
    """Remove sealed segments older than all kept backups. Returns their number. History files stay: they are small."""
    if not kept or not wal.is_dir():
        return 0
    size = kept[0].segment_bytes
    first = min(parse_lsn(manifest.start_lsn) for manifest in kept) // size
    old = [
        segment
        for segment in wal.glob("*" + SUFFIX)
        if SEGMENT.match(segment.name) and parse_segment(segment.name, size).number < first
    ]
    for segment in old:
        segment.unlink()
    return len(old)


def note(stream: Path, flushed: Flushed) -> None:
    """Record how far the stream is on disk. Cheap, as it is called every second; the record may be a second old."""
    new = stream / (NOTE + ".new")
    new.write_text(json.dumps(flushed._asdict()))
    new.rename(stream / NOTE)


def noted(stream: Path) -> Flushed | None:
    """Return the last recorded position, or None."""
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        return Flushed(**json.loads((stream / NOTE).read_text()))
    return None


def _seal(file: Path, target: Path, recipient: Recipient, *, again: bool = False) -> None:
    # A file that was streamed again after a crash between sealing and removing is identical: keep the first.
    if again or not target.exists():
        with file.open("rb") as source:
            seal(source, target, recipient)
