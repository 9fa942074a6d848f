"""When a backup is due, which ones go, and which WAL a restore reads; no server is asked."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from vote.errors import BackupUnusable
from vote.ops.backup.retention import doomed
from vote.ops.backup.scheduler import FIRST, next_due
from vote.ops.backup.segments import Leg, check_content, needed, parse_history, parse_segment

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_when_a_backup_is_due() -> None:
    dice = random.Random(1)
    first = next_due(NOW, newest=None, failed_at=None, every=DAY, dice=dice)
    due = [next_due(NOW, newest=NOW, failed_at=None, every=DAY, dice=dice) - NOW for _ in range(200)]
    late = next_due(NOW, newest=NOW - 3 * DAY, failed_at=None, every=DAY, dice=dice)
    again = next_due(NOW, newest=NOW, failed_at=NOW, every=DAY, dice=dice)

    assert first == late == NOW + FIRST
    assert min(due) >= DAY * 0.9
    assert max(due) <= DAY * 1.1
    assert max(due) - min(due) > timedelta(hours=3)
    assert timedelta() < again - NOW < timedelta(hours=1)


def test_which_backups_go() -> None:
    labels = ["9", "8", "7", "6"]
    assert doomed(labels, ["9", "7"], 2) == ["7", "6"]
    assert doomed(labels, ["6"], 2) == ["7"]
    assert doomed(labels, [], 10) == []


def test_which_wal_a_restore_reads() -> None:
    size = 0x1000000
    legs = parse_history(3, "1\t0/5000100\tno reason\n\n2\t0/7000000\tno reason\n")
    assert legs == [Leg(1, 0), Leg(2, 0x5000100), Leg(3, 0x7000000)]
    assert parse_history(1, "") == [Leg(1, 0)]

    assert needed(legs, timeline=1, start=0x3000028, last=8, size=size) == [
        *((1, 3), (1, 4)),
        *((2, 5), (2, 6)),
        *((3, 7), (3, 8)),
    ]
    assert needed(legs, timeline=2, start=0x5000200, last=7, size=size) == [(2, 5), (2, 6), (3, 7)]
    assert needed(legs, timeline=1, start=0x5000028, last=5, size=size) == [(2, 5)], "begun again on the next timeline"
    with pytest.raises(BackupUnusable, match="abandoned"):
        needed(legs, timeline=1, start=0x6000028, last=8, size=size)
    with pytest.raises(BackupUnusable, match="abandoned"):
        needed(legs, timeline=4, start=0x6000028, last=8, size=size)


def test_names_of_wal_files() -> None:
    for size in (1 << 20, 16 << 20, 1 << 30):
        segment = parse_segment("0000000A00000001000000" + "02", size)
        assert segment.name(size) == "0000000A0000000100000002"
    with pytest.raises(BackupUnusable, match="something else"):
        check_content("000000010000000000000001", bytes(16 << 20), system="1", size=16 << 20)
    with pytest.raises(BackupUnusable, match="truncated"):
        check_content("000000010000000000000001", bytes(64), system="1", size=16 << 20)
