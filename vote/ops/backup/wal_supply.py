"""Decrypt and check the WAL that a recovery reads; refuse if a single file is missing or changed."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vote.errors import BackupUnusable
from vote.ops.account import SystemUser
from vote.ops.backup import archive
from vote.ops.backup.archive import PARTIAL, SUFFIX, Flushed
from vote.ops.backup.encryption import Identity, unseal
from vote.ops.backup.folder import Folder
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.segments import (
    HISTORY,
    SEGMENT,
    Leg,
    Segment,
    check_head,
    format_lsn,
    needed,
    parse_history,
    parse_lsn,
    parse_segment,
)
from vote.ops.backup.wal_end import WalEnd, end_of_wal
from vote.ops.embedded.disk import sync_names
from vote.ops.progress import Bar


class Supply(NamedTuple):
    """WAL in a folder: the timeline and LSN where it ends, and the number of segments."""

    timeline: int
    end: int
    files: int


class _Files:
    """The WAL files of one database system, sealed or not."""

    def __init__(self, folder: Folder, system: str, identity: Identity) -> None:
        self._identity = identity
        self._wal, self.stream = folder.wal(system), folder.stream(system)
        self._scan_all()

    def _scan_all(self) -> None:
        self.paths: dict[str, Path] = {}
        # Later scans win: complete over partial, sealed over plain.
        for partial in (True, False):
            self._scan(self.stream, "", partial)
            self._scan(self._wal, SUFFIX, partial)
        self.partial = {name for name, path in self.paths.items() if PARTIAL in path.name}

    def _scan(self, folder: Path, suffix: str, partial: bool) -> None:
        for path in folder.iterdir() if folder.is_dir() else ():
            name = path.name.removesuffix(suffix)
            if path.name.endswith(suffix) and name.endswith(PARTIAL) == partial:
                name = name.removesuffix(PARTIAL)
                if SEGMENT.fullmatch(name) or HISTORY.fullmatch(name):
                    self.paths[name] = path

    def load(self, name: str, sink: Callable[[bytes], object]) -> None:
        """Pass the content of a file to `sink`. Raises BackupUnusable when it is damaged."""
        if not self.paths[name].exists():
            self._scan_all()  # it was finished or sealed since the last scan
        path = self.paths[name]
        if path.name.endswith(SUFFIX):
            unseal(path, self._identity, sink)
        else:
            sink(path.read_bytes())

    def legs(self, timeline: int) -> list[Leg]:
        """Return the timelines that lead to this one."""
        if timeline == 1:
            return [Leg(1, None)]
        name = f"{timeline:08X}.history"
        if name not in self.paths:
            raise BackupUnusable(
                f"The history of timeline {timeline} is missing ({name}). Restore the file to the backup folder."
            )
        text = bytearray()
        self.load(name, text.extend)
        return parse_history(timeline, text.decode("ascii", errors="replace"))

    def newest_timeline(self) -> int:
        return max((int(name[:8], 16) for name in self.paths), default=1)


def supply(
    folder: Folder,
    manifest: Manifest,
    identity: Identity,
    target: Path,
    account: SystemUser | None,
    *,
    timeline: int | None = None,
    to_note: bool = False,
    quiet: bool = False,
) -> Supply:
    """Write all WAL from the start of a backup to the end of a timeline (default: the newest) into `target`, in plain form.

    `to_note`: stop at the position that the stream has recorded, as WAL beyond it is still being written.

    Raises BackupUnusable when a file is missing, damaged, misnamed or foreign, or when the WAL ends before a position that
    was already on disk.
    """
    flushed = archive.noted(folder.stream(manifest.system))  # before scanning the files, which only grow
    files = _Files(folder, manifest.system, identity)
    goal = timeline or max(files.newest_timeline(), manifest.timeline)
    size, start = manifest.segment_bytes, parse_lsn(manifest.start_lsn)
    wanted = _wanted(files, needed(files.legs(goal), timeline=manifest.timeline, start=start, size=size), size)
    stop = flushed if to_note and flushed is not None and flushed.timeline == wanted[-1].timeline else None
    if stop is not None:
        wanted = [
            segment
            for segment in wanted
            if segment.timeline < stop.timeline or segment.number * size < parse_lsn(stop.lsn)
        ]
    target.mkdir(mode=0o700)
    if account:
        account.give(target)
    histories = [name for name in files.paths if HISTORY.fullmatch(name)]
    with Bar("WAL", size * len(wanted), quiet=quiet) as bar:
        for name in [*histories, *(segment.name(size) for segment in wanted)]:
            _lay_out(files, name, target, account, manifest)
            bar.add(size)
    sync_names(target)
    last = wanted[-1]
    if stop is not None:
        _zero_from(target / last.name(size), parse_lsn(stop.lsn) - last.number * size)
    whole = last.name(size) not in files.partial
    end = end_of_wal(target, last, _first_on_timeline(wanted, last), manifest, whole=whole)
    _check_end(None if stop else flushed, manifest, last, end)
    _check_prefix(flushed, target, manifest, last)
    return Supply(goal, end.records, len(wanted))


def _wanted(files: _Files, ranges: list[tuple[int, int, int | None]], size: int) -> list[Segment]:
    wanted = []
    for timeline, first, last in ranges:
        available = [
            segment for name in files.paths if SEGMENT.fullmatch(name) and (segment := parse_segment(name, size))
        ]
        numbers = [segment.number for segment in available if segment.timeline == timeline and segment.number >= first]
        end = max(numbers, default=first) if last is None else last
        wanted += [Segment(timeline, number) for number in range(first, end + 1)]
    for segment in wanted:
        name = segment.name(size)
        if name not in files.paths or (name in files.partial and segment != wanted[-1]):
            raise BackupUnusable(
                f"The WAL file {name} is missing, so a restore would end before it. Nothing was changed."
            )
    if not wanted:
        raise BackupUnusable("There is no WAL for this backup.")
    return wanted


def _lay_out(files: _Files, name: str, target: Path, account: SystemUser | None, manifest: Manifest) -> None:
    content = bytearray()
    files.load(name, content.extend)
    if SEGMENT.fullmatch(name):
        if len(content) != manifest.segment_bytes:
            raise BackupUnusable(f"The WAL file {name} has {len(content)} bytes: it was truncated.")
        check_head(name, bytes(content[:64]), system=manifest.system, size=manifest.segment_bytes)
    path = target / name
    path.write_bytes(content)
    path.chmod(0o600)
    if account:
        account.give(path)


def _first_on_timeline(wanted: list[Segment], last: Segment) -> Segment:
    return next(segment for segment in wanted if segment.timeline == last.timeline)


def _zero_from(file: Path, offset: int) -> None:
    """Overwrite a file with zeros from `offset` on."""
    content = file.read_bytes()
    file.write_bytes(content[:offset] + bytes(len(content) - offset))


def _check_end(flushed: Flushed | None, manifest: Manifest, last: Segment, end: WalEnd) -> None:
    """Refuse WAL that ends before a position that was already on disk.

    A server writes whole pages, so that position may lie within a record; then only the rest of that record may be missing.
    """
    if last.timeline == manifest.timeline:
        _refuse_before(parse_lsn(manifest.record_lsn), end.records)
    if flushed is not None and flushed.timeline == last.timeline:
        _refuse_before(parse_lsn(flushed.lsn), end.reach)


def _refuse_before(least: int, end: int) -> None:
    if end < least:
        raise BackupUnusable(
            f"The WAL ends at {format_lsn(end)}, but was on disk up to {format_lsn(least)}: its end is missing or damaged."
        )


def _check_prefix(flushed: Flushed | None, target: Path, manifest: Manifest, last: Segment) -> None:
    """Check that unsealed WAL is still what the stream received."""
    if flushed is None or flushed.timeline != last.timeline:
        return
    number, offset = divmod(parse_lsn(flushed.lsn), manifest.segment_bytes)
    name = Segment(flushed.timeline, number).name(manifest.segment_bytes)
    if offset and hashlib.sha256((target / name).read_bytes()[:offset]).hexdigest() != flushed.sha256:
        raise BackupUnusable(f"The WAL file {name} is damaged: it differs from what was streamed.")
