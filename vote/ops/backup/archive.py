"""Archive streamed WAL: seal it file by file, and remove it when no backup needs it any more.

pg_receivewal keeps no record of what it has confirmed to the server, so the stream notes that here, beside its files.
"""

import contextlib
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from vote.ops.backup.encryption import Recipient, chunks_of, seal
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


class Note:
    """The record of how far the stream is on disk. It hashes the unfinished file up to there, each byte once."""

    def __init__(self, stream: Path, size: int) -> None:
        self._stream, self._size = stream, size
        self._name, self._done, self._hash = "", 0, hashlib.sha256()

    def write(self, timeline: int, lsn: str) -> None:
        """Record a new position. Cheap, as it is called every second; the record may be a second old."""
        number, offset = divmod(parse_lsn(lsn), self._size)
        name = Segment(timeline, number).name(self._size)
        if name != self._name or offset < self._done:
            self._name, self._done, self._hash = name, 0, hashlib.sha256()
        try:
            with (self._stream / (name + PARTIAL)).open("rb") as file:
                file.seek(self._done)
                self._hash.update(file.read(offset - self._done))
        except FileNotFoundError:
            if offset:
                return  # it was finished meanwhile
        self._done = offset
        new = self._stream / (NOTE + ".new")
        new.write_text(json.dumps(Flushed(timeline, lsn, self._hash.hexdigest())._asdict()))
        new.rename(self._stream / NOTE)


def seal_complete(stream: Path, wal: Path, recipient: Recipient) -> None:
    """Seal the files that the stream has finished, and remove the plain ones."""
    for file in sorted(stream.iterdir()):
        if SEGMENT.fullmatch(file.name) or HISTORY.fullmatch(file.name):
            _seal(file, wal, recipient)


def seal_rest(stream: Path, wal: Path, recipient: Recipient) -> None:
    """Seal everything including the unfinished segment, for a stream that will not continue from here."""
    if not stream.is_dir():
        return
    seal_complete(stream, wal, recipient)
    for file in sorted(stream.glob("*" + PARTIAL)):
        _seal(file, wal, recipient, again=True)
    (stream / NOTE).unlink(missing_ok=True)


def prune(wal: Path, kept: list[Manifest]) -> None:
    """Remove sealed segments older than all kept backups. History files stay: they are small."""
    if not kept:
        return
    size = kept[0].segment_bytes
    first = min(parse_lsn(manifest.start_lsn) for manifest in kept) // size
    for segment in wal.glob("*" + SUFFIX):
        if SEGMENT.match(segment.name) and parse_segment(segment.name, size).number < first:
            segment.unlink()


def noted(stream: Path) -> Flushed | None:
    """Return the last recorded position, or None."""
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        return Flushed(**json.loads((stream / NOTE).read_text()))
    return None


def _seal(file: Path, wal: Path, recipient: Recipient, *, again: bool = False) -> None:
    target = wal / (file.name + SUFFIX)
    # A file that was streamed again after a crash between sealing and removing is identical: keep the first.
    if again or not target.exists():
        with file.open("rb") as source:
            seal(chunks_of(source), target, recipient)
    file.unlink()
