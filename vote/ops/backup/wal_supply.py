"""Decrypt and check the WAL that a recovery reads; refuse if a single file is missing or changed.

A server takes the first record that it cannot read for the end of its WAL, whatever follows; a restore would silently lose
the rest. So pg_waldump must be able to read up to the last byte that was written.
"""

import contextlib
import hashlib
import re
import subprocess
from pathlib import Path

from vote.errors import BackupUnusable
from vote.ops.backup import archive, pg_clients, segments
from vote.ops.backup.archive import PARTIAL, SUFFIX, Flushed
from vote.ops.backup.encryption import Identity, unseal
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.segments import HISTORY, SEGMENT, Leg, Segment, format_lsn, parse_lsn
from vote.ops.embedded.programs import server_environ
from vote.ops.progress import Bar

FILE = re.compile(rf"({SEGMENT.pattern}|{HISTORY.pattern})(?:{re.escape(PARTIAL)})?(?:{re.escape(SUFFIX)})?")
TRIES = 3  # the stream may finish a file, then seal it, while we look for it


class _Files:
    """The WAL files of one database system, sealed or not."""

    def __init__(self, folder: Folder, system: str, identity: Identity) -> None:
        self._wal, self._stream, self._identity = folder.wal(system), folder.stream(system), identity
        places = [place for place in (self._wal, self._stream) if place.is_dir()]
        self.names = {match[1] for place in places for path in place.iterdir() if (match := FILE.fullmatch(path.name))}

    def read(self, name: str, *, unfinished: bool = False) -> bytes:
        """Return the content of a file, if need be of an `unfinished` one. Raises BackupUnusable when it is damaged."""
        for _ in range(TRIES):
            for file in (name, name + PARTIAL) if unfinished else (name,):
                if (sealed := self._wal / (file + SUFFIX)).exists():
                    with unseal(sealed, self._identity) as plain:
                        return plain.read()
                with contextlib.suppress(FileNotFoundError):
                    return (self._stream / file).read_bytes()
        raise BackupUnusable(f"The WAL file {name} is missing, so a restore would end before it. Nothing was changed.")

    def legs(self, timeline: int) -> list[Leg]:
        """Return the timelines that lead to this one."""
        name = f"{timeline:08X}.history"
        if timeline > 1 and name not in self.names:
            raise BackupUnusable(
                f"The history of timeline {timeline} is missing ({name}). Restore the file to the backup folder."
            )
        return segments.parse_history(
            timeline, self.read(name).decode("ascii", errors="replace") if timeline > 1 else ""
        )


def supply(
    folder: Folder,
    manifest: Manifest,
    identity: Identity,
    target: Path,
    *,
    timeline: int | None = None,
    to_note: bool = False,
    quiet: bool = False,
) -> list[Segment]:
    """Write all WAL from the start of a backup to the end of a timeline (default: the newest) into `target`, in plain form.

    `to_note`: check up to the position that the stream has recorded, as WAL beyond it is still being written.

    Raises BackupUnusable when a file is missing, damaged, misnamed or foreign, or when the WAL ends before a position that
    was already on disk.
    """
    noted = archive.noted(folder.stream(manifest.system))  # before looking at the files, which only grow
    files = _Files(folder, manifest.system, identity)
    goal = timeline or max([manifest.timeline, *(int(name[:8], 16) for name in files.names)])
    flushed = noted if noted is not None and noted.timeline == goal else None
    is_growing = to_note and flushed is not None
    confirmed = max(
        parse_lsn(flushed.lsn) if flushed is not None else 0,
        parse_lsn(manifest.record_lsn) if goal == manifest.timeline else 0,
    )
    legs, size, start = files.legs(goal), manifest.segment_bytes, parse_lsn(manifest.start_lsn)
    begin = max(start, legs[-1].begin // size * size)
    available = [segments.parse_segment(name, size) for name in files.names if SEGMENT.fullmatch(name)]
    last = max([begin // size, *(segment.number for segment in available if segment.timeline == goal)])
    if is_growing:
        last = min(last, (confirmed - 1) // size)
    wanted = segments.needed(legs, timeline=manifest.timeline, start=start, last=last, size=size)
    written = _lay_out(files, wanted, manifest, target, quiet=quiet)
    _check_readable(target, manifest, goal, begin, confirmed if is_growing else max(confirmed, written))
    if flushed is not None:
        _check_prefix(flushed, target, size)
    return wanted


def _lay_out(files: _Files, wanted: list[Segment], manifest: Manifest, target: Path, *, quiet: bool) -> int:
    """Write the files into `target`. Returns where the last record ends at the earliest: only zeros follow."""
    size, content = manifest.segment_bytes, b""
    target.mkdir(mode=0o700)
    for name in filter(HISTORY.fullmatch, files.names):
        (target / name).write_bytes(files.read(name))
    with Bar("WAL", size * len(wanted), quiet=quiet) as bar:
        for segment in wanted:
            name = segment.name(size)
            content = files.read(name, unfinished=segment == wanted[-1])
            segments.check_content(name, content, system=manifest.system, size=size)
            (target / name).write_bytes(content)
            bar.add(size)
    return wanted[-1].number * size + -(-len(content.rstrip(b"\0")) // 8) * 8  # records are aligned to 8 bytes


def _check_readable(folder: Path, manifest: Manifest, timeline: int, begin: int, end: int) -> None:
    """Refuse WAL that is damaged or ends before `end`.

    A server writes whole pages, so `end` may lie within a record; pg_waldump then stops before that one.
    """
    command = [str(pg_clients.bin_of(manifest.server_major) / "pg_waldump"), "--quiet", "-p", str(folder)]
    command += ["-t", str(timeline), "-s", format_lsn(begin), "-e", format_lsn(end)]
    done = subprocess.run(command, capture_output=True, text=True, env=server_environ(), check=False)
    if done.returncode != 0:
        raise BackupUnusable(
            f"The WAL was on disk up to {format_lsn(end)}, but its end is missing or damaged: {done.stderr.strip()}."
        )


def _check_prefix(flushed: Flushed, folder: Path, size: int) -> None:
    """Check that unsealed WAL is still what the stream received."""
    number, offset = divmod(parse_lsn(flushed.lsn), size)
    name = Segment(flushed.timeline, number).name(size)
    if offset and hashlib.sha256((folder / name).read_bytes()[:offset]).hexdigest() != flushed.sha256:
        raise BackupUnusable(f"The WAL file {name} is damaged: it differs from what was streamed.")
