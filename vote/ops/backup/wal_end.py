"""Find where WAL ends, and whether it ends like a stream (zeros, or one partial record) or is damaged.

A server takes the first unreadable record for the end, whatever follows; a restore would silently lose the rest.
"""

import re
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

from vote.errors import BackupUnusable
from vote.ops.backup import pg_clients
from vote.ops.backup.manifest import Manifest
from vote.ops.backup.segments import Segment, format_lsn, parse_lsn
from vote.ops.embedded.programs import server_environ

PAGE = 8192
SHORT_HEADER, LONG_HEADER = 24, 40  # of a page, and of the first page of a file (xlog_internal.h)


class WalEnd(NamedTuple):
    """Two LSNs: the end of the last complete record, and where the partial record after it would end."""

    records: int
    reach: int


def end_of_wal(folder: Path, last: Segment, first: Segment, manifest: Manifest, *, whole: bool) -> WalEnd:
    """Return where the WAL in `folder` ends on the timeline of `last`, read from `first` on.

    `whole`: the last file was finished, so zeros at its end are WAL too (the server switched files early). Raises
    BackupUnusable when anything but a partial record follows.
    """
    size = manifest.segment_bytes
    begin = max(first.number * size, parse_lsn(manifest.start_lsn))
    command = [str(pg_clients.bin_of(manifest.server_major) / "pg_waldump"), "--quiet", "-p", str(folder)]
    command += ["-t", str(last.timeline), "-s", format_lsn(begin)]
    errors = subprocess.run(command, capture_output=True, text=True, env=server_environ(), check=False).stderr
    limit = (last.number + 1) * size
    if "could not find file" in errors or "could not open file" in errors:
        return WalEnd(limit, limit)  # read to the end of the last file, in the middle of a record
    record = re.search(r"in WAL record at ([0-9A-F]+/[0-9A-F]+)", errors)
    if record is None:
        raise BackupUnusable(f"The WAL from {format_lsn(begin)} on cannot be read: {errors.strip()}")
    data = (folder / last.name(size)).read_bytes()
    after = _after(folder, last, parse_lsn(record[1]), size)
    if after >= limit:
        return WalEnd(limit, limit)
    length = _record_length(data, after % size) if after // size == last.number else 0
    if length == 0 and after // size == last.number and not any(data[after % size :]):
        end = limit if whole else after
        return WalEnd(end, end)
    half = advance(after, max(length, 8), size)
    if after // size == last.number and length and (half >= limit or not any(data[half % size :])):
        return WalEnd(after, half)  # the last record is incomplete, so its commit was never acknowledged
    raise BackupUnusable(f"The WAL is damaged at {format_lsn(after)}: unreadable data follows.")


def advance(lsn: int, length: int, size: int) -> int:
    """Return where a record of this length that begins at `lsn` ends, including page headers, rounded up to 8 bytes."""
    while True:
        room = PAGE - lsn % PAGE
        if length <= room:
            return -(-(lsn + length) // 8) * 8
        length -= room
        lsn += room
        lsn += LONG_HEADER if lsn % size == 0 else SHORT_HEADER


def _after(folder: Path, last: Segment, record: int, size: int) -> int:
    """Return where the record after `record` begins."""
    data = (folder / Segment(last.timeline, record // size).name(size)).read_bytes()
    end = advance(record, _record_length(data, record % size), size)
    if end % PAGE == 0:
        end += LONG_HEADER if end % size == 0 else SHORT_HEADER
    return end


def _record_length(data: bytes, offset: int) -> int:
    length: int = struct.unpack_from("<I", data, offset)[0]
    return length
