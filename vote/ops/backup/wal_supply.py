"""Lays out, in the clear and checked, the WAL that a recovery reads; refuses when one file of it is missing or changed."""

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
    """WAL in a folder: the timeline it ends on, and where."""

    timeline: int
    end: int
    files: int


class _Files:
    """The WAL files of one database system, sealed or not yet."""

    def __init__(self, folder: Folder, system: str, identity: Identity) -> None:
        self._identity = identity
        self._wal, self.stream = folder.wal(system), folder.stream(system)
        self._look_at_all()

    def _look_at_all(self) -> None:
        self.found: dict[str, Path] = {}
        # A later one wins: whole before partial, sealed before clear.
        for partial in (True, False):
            self._look(self.stream, "", partial)
            self._look(self._wal, SUFFIX, partial)
        self.partial = {name for name, path in self.found.items() if PARTIAL in path.name}

    def _look(self, place: Path, suffix: str, partial: bool) -> None:
        for path in place.iterdir() if place.is_dir() else ():
            name = path.name.removesuffix(suffix)
            if path.name.endswith(suffix) and name.endswith(PARTIAL) == partial:
                name = name.removesuffix(PARTIAL)
                if SEGMENT.fullmatch(name) or HISTORY.fullmatch(name):
                    self.found[name] = path

    def load(self, name: str, sink: Callable[[bytes], object]) -> None:
        """Give `sink` the content of a file. Raises BackupUnusable when it is damaged."""
        if not self.found[name].exists():
            self._look_at_all()  # it was finished, or sealed, since we looked
        path = self.found[name]
        if path.name.endswith(SUFFIX):
            unseal(path, self._identity, sink)
        else:
            sink(path.read_bytes())

    def legs(self, timeline: int) -> list[Leg]:
        """How one gets to a timeline."""
        if timeline == 1:
            return [Leg(1, None)]
        name = f"{timeline:08X}.history"
        if name not in self.found:
            raise BackupUnusable(
                f"The history of timeline {timeline} is missing ({name}): where it began is not known."
            )
        text = bytearray()
        self.load(name, text.extend)
        return parse_history(timeline, text.decode("ascii", errors="replace"))

    def newest_timeline(self) -> int:
        return max((int(name[:8], 16) for name in self.found), default=1)


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
    """Lay out in `target` all WAL from the start of a backup to the end of a timeline (default: the newest).

    `to_note`: not beyond the place the stream has noted, for while it goes on; what comes after it is in motion.

    Raises BackupUnusable when a file is missing, damaged, misnamed or foreign, or when the WAL ends before a place that
    was on disk already.
    """
    flushed = archive.noted(folder.stream(manifest.system))  # before we look at the files: they only grow
    files = _Files(folder, manifest.system, identity)
    goal = timeline or max(files.newest_timeline(), manifest.timeline)
    size, start = manifest.segment_bytes, parse_lsn(manifest.start_lsn)
    wanted = _wanted(files, needed(files.legs(goal), timeline=manifest.timeline, start=start, size=size), size)
    stop = flushed if to_note and flushed is not None and flushed.timeline == wanted[-1].timeline else None
    if stop is not None:
        wanted = [one for one in wanted if one.timeline < stop.timeline or one.number * size < parse_lsn(stop.lsn)]
    target.mkdir(mode=0o700)
    if account:
        account.give(target)
    histories = [name for name in files.found if HISTORY.fullmatch(name)]
    with Bar("WAL", size * len(wanted), quiet=quiet) as bar:
        for name in [*histories, *(segment.name(size) for segment in wanted)]:
            _lay_out(files, name, target, account, manifest)
            bar.add(size)
    sync_names(target)
    last = wanted[-1]
    if stop is not None:
        _blank(target / last.name(size), parse_lsn(stop.lsn) - last.number * size)
    whole = last.name(size) not in files.partial
    end = end_of_wal(target, last, _first_on(wanted, last), manifest, whole=whole)
    _check_end(None if stop else flushed, manifest, last, end)
    _check_prefix(flushed, target, manifest, last)
    return Supply(goal, end.records, len(wanted))


def _wanted(files: _Files, ranges: list[tuple[int, int, int | None]], size: int) -> list[Segment]:
    wanted = []
    for timeline, first, last in ranges:
        there = [segment for name in files.found if SEGMENT.fullmatch(name) and (segment := parse_segment(name, size))]
        numbers = [one.number for one in there if one.timeline == timeline and one.number >= first]
        upto = max(numbers, default=first) if last is None else last
        wanted += [Segment(timeline, number) for number in range(first, upto + 1)]
    for segment in wanted:
        name = segment.name(size)
        if name not in files.found or (name in files.partial and segment != wanted[-1]):
            raise BackupUnusable(f"The WAL file {name} is missing: a restore would end before it. Nothing was opened.")
    if not wanted:
        raise BackupUnusable("There is no WAL of this backup.")
    return wanted


def _lay_out(files: _Files, name: str, target: Path, account: SystemUser | None, manifest: Manifest) -> None:
    content = bytearray()
    files.load(name, content.extend)
    if SEGMENT.fullmatch(name):
        if len(content) != manifest.segment_bytes:
            raise BackupUnusable(f"The WAL file {name} has {len(content)} bytes: it was cut.")
        check_head(name, bytes(content[:64]), system=manifest.system, size=manifest.segment_bytes)
    path = target / name
    path.write_bytes(content)
    path.chmod(0o600)
    if account:
        account.give(path)


def _first_on(wanted: list[Segment], last: Segment) -> Segment:
    return next(segment for segment in wanted if segment.timeline == last.timeline)


def _blank(file: Path, offset: int) -> None:
    """Nothing from `offset` on."""
    content = file.read_bytes()
    file.write_bytes(content[:offset] + bytes(len(content) - offset))


def _check_end(flushed: Flushed | None, manifest: Manifest, last: Segment, end: WalEnd) -> None:
    """Refuse WAL that ends before a place that was on disk already.

    A server writes whole pages, so that place may lie within a record; then the rest of the record is all that may lack.
    """
    if last.timeline == manifest.timeline:
        _refuse_before(parse_lsn(manifest.record_lsn), end.records)
    if flushed is not None and flushed.timeline == last.timeline:
        _refuse_before(parse_lsn(flushed.lsn), end.reach)


def _refuse_before(least: int, end: int) -> None:
    if end < least:
        raise BackupUnusable(
            f"The WAL ends at {format_lsn(end)}, but it was on disk up to {format_lsn(least)}:"
            " its end is missing or damaged."
        )


def _check_prefix(flushed: Flushed | None, target: Path, manifest: Manifest, last: Segment) -> None:
    """What is not sealed yet must be what the stream has seen."""
    if flushed is None or flushed.timeline != last.timeline:
        return
    number, offset = divmod(parse_lsn(flushed.lsn), manifest.segment_bytes)
    name = Segment(flushed.timeline, number).name(manifest.segment_bytes)
    if offset and hashlib.sha256((target / name).read_bytes()[:offset]).hexdigest() != flushed.sha256:
        raise BackupUnusable(f"The WAL file {name} is damaged: it is not what was streamed.")
