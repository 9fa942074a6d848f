"""Backups of a database people use: made, listed, proved, restored to the end and to a time, kept by themselves."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests import proxy
from tests.integration.ops.backed_up import Installation, files, tend_until
from tests.stack import wait_until
from vote.db import backups
from vote.ops.backup.scheduler import BackupScheduler
from vote.ops.backup.segments import parse_lsn
from vote.ops.backup.stream import has_reached
from vote.ops.embedded.home import locked
from vote.ops.embedded.programs import ServerSource

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def one(server_source: ServerSource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that these tests share, one after the other."""
    made = Installation(server_source, tmp_path_factory.mktemp("backups")).fill()
    yield made
    made.pair.stop()


def test_a_backup_is_made_listed_and_proved(one: Installation) -> None:
    made = one.json("backup", "create")
    assert (made["votes"], made["accounts"]) == (300, 300)
    with psycopg.connect(one.pair.owner_url) as owner:
        assert backups.newest_verified_positions(owner) is None

    assert "No backup was verified" in one.run("backup", "list").stdout

    proved = one.json("backup", "verify")

    assert proved["label"] == made["label"]
    assert f"Newest verified: {made['label']}." in one.run("backup", "list").stdout
    listed = one.json("backup", "list")
    assert [row["label"] for row in listed] == [made["label"]]
    assert listed[0]["verdict"].startswith("verified")
    with psycopg.connect(one.pair.owner_url) as owner:
        assert backups.newest_verified_positions(owner) == {shard: ("e", 0) for shard in range(8)}


def test_nobody_else_can_read_a_backup_and_nothing_of_it_lies_in_the_clear(one: Installation) -> None:
    private = one.home.secrets / "backup-identity"
    assert private.stat().st_mode & 0o777 == 0o600
    for path in [one.backups, *one.backups.rglob("*")]:
        assert path.stat().st_mode & 0o777 == 0o700 if path.is_dir() else True
    sealed = files(one.backups, "*.age")
    assert {path.stat().st_mode & 0o777 for path in sealed} == {0o600}
    assert {path.read_bytes()[:21] for path in sealed} == {b"age-encryption.org/v1"}
    assert not [path for path in files(one.backups / "base", "*") if b"before1@example.com" in path.read_bytes()]


def test_no_secret_reaches_output_or_command_lines(one: Installation) -> None:
    secrets = [path.read_text().strip() for path in one.home.secrets.iterdir()]

    told = [one.run("backup", "create"), one.run("backup", "verify"), one.run("backup", "list")]

    assert {done.returncode for done in told} == {0}
    assert not [secret for secret in secrets if any(secret in done.stdout + done.stderr for done in told)]


def test_the_machine_that_makes_backups_needs_only_the_public_key(one: Installation) -> None:
    private = one.home.secrets / "backup-identity"
    key = private.read_text()
    private.rename(private.with_suffix(".elsewhere"))
    try:
        one.json("backup", "create")
        refused = one.run("backup", "verify")
        assert refused.returncode == 1
        assert "BACKUP_IDENTITY" in refused.stderr
        assert one.run("backup", "verify", BACKUP_IDENTITY=key).returncode == 0
    finally:
        private.with_suffix(".elsewhere").rename(private)


def test_commits_wait_for_the_stream_and_no_longer_than_it_is_there(one: Installation) -> None:
    stream = one.stream()
    with stream.running():
        tend_until(stream, lambda: one.sql("SHOW synchronous_standby_names") == [("vote_wal",)])
        one.register("waited", 1)
        assert stream._process is not None
        stream._process.kill()
        tend_until(stream, lambda: one.sql("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
    assert one.sql("SHOW synchronous_standby_names") == [("",)]
    one.register("alone", 1)


def test_commits_go_on_and_the_stream_is_back_after_its_connection_went_dead_without_a_word(
    one: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy.before_postgres(one.environ["DATABASE_URL_BACKUP"]) as (between, url):
        monkeypatch.setitem(one.environ, "DATABASE_URL_BACKUP", url)
        stream = one.stream()
        with stream.running():
            tend_until(stream, lambda: one.sql("SHOW synchronous_standby_names") == [("vote_wal",)])
            (dead,) = one.sql("SELECT pid FROM pg_stat_replication")
            between.silence_open()
            with ThreadPoolExecutor(1) as background:
                waiting = background.submit(one.register, "went dead", 1)
                tend_until(stream, waiting.done)  # backups never stop voting
            tend_until(
                stream, lambda: [dead] != one.sql("SELECT pid FROM pg_stat_replication WHERE state = 'streaming'")
            )
            tend_until(stream, lambda: one.sql("SELECT sync_state FROM pg_stat_replication") == [("sync",)], within=90)


def test_a_restore_to_the_end_keeps_every_committed_row(one: Installation) -> None:
    one.register("early", 10)
    one.json("backup", "create")
    stream = one.stream()
    with stream.running():
        tend_until(stream, lambda: one.sql("SHOW synchronous_standby_names") == [("vote_wal",)])
        for n in range(20):
            one.register(f"late-{n}-", 1)
        expected = one.names()
        # As a crash of everything leaves it: nobody had the time to seal or to note anything.
        one.destroy()

    told = one.json("restore")

    one.pair.restart_database()
    assert one.names() == expected
    assert told["aside"] is None
    assert one.sql("SELECT note_incarnation()") == [(True,)], "numbers of competitions go on higher than any lost one"


def test_wal_that_was_written_up_to_the_middle_of_a_record_is_restored(one: Installation) -> None:
    one.json("backup", "create")
    ((timeline,),) = one.sql("SELECT timeline_id FROM pg_control_checkpoint()")
    stream = one.stream()
    with stream.running():
        expected = one.names()
        with _half_a_record(one) as end:
            tend_until(stream, lambda: has_reached(stream.stream, timeline, end))
            one.destroy()

    one.json("restore")

    one.pair.restart_database()
    assert one.names() == expected


@contextmanager
def _half_a_record(one: Installation) -> Iterator[int]:
    """Whole pages of a record are on disk, the rest of it nowhere: nobody waits for it. Gives the place where they end."""
    with psycopg.connect(one.pair.superuser_url, autocommit=True) as superuser:
        writers = superuser.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type ~ 'writer|checkpointer'"
        ).fetchall()

        def end() -> int:
            row = superuser.execute("SELECT pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()").fetchone()
            assert row is not None
            written, flushed = map(parse_lsn, row)
            if written == flushed:
                superuser.execute("SELECT pg_logical_emit_message(false, 'tests', repeat('x', 3 * 8192 + 100))")
            return flushed if written > flushed and flushed % 8192 == 0 else 0

        found = wait_until(end)
    try:
        _signal(writers, signal.SIGSTOP)
        yield found
    finally:
        _signal(writers, signal.SIGCONT)


def _signal(processes: list[tuple[int]], number: signal.Signals) -> None:
    for (pid,) in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_restore_is_refused_while_a_server_of_the_home_may_run(one: Installation) -> None:
    with locked(one.home.path):
        refused = one.run("restore")
    assert refused.returncode == 1
    assert "already uses" in refused.stderr
    assert not list(one.data.parent.glob("*.restoring"))


def test_a_restore_to_a_time_and_back_to_the_end(one: Installation) -> None:
    """The second timeline is followed by later restores; the data before a restore is set aside."""
    first = one.json("backup", "create")["label"]
    stream = one.stream()
    with stream.running():
        one.register("wanted", 5)
        when = one.sql("SELECT clock_timestamp()")[0][0]
        one.sql("SELECT pg_sleep(0.05)")
        one.sql("DELETE FROM votes")
        one.register("mistake", 5)
        one.record_ballots(3)
        one.json_while(stream, "backup", "create")
        lsn = one.sql("SELECT pg_current_wal_flush_lsn()")[0][0]
        timeline = int(one.sql("SELECT timeline_id FROM pg_control_checkpoint()")[0][0])
        tend_until(stream, lambda: has_reached(stream.stream, timeline, parse_lsn(lsn)))
    one.pair.stop_database()

    # Below the newer backup the log may be trimmed, and it does not answer: three votes might be lost.
    refused = one.run("restore", "--to-time", when.isoformat(), BALLOT_LOG_URL="redis://127.0.0.1:1/0")
    assert refused.returncode == 1
    assert "3 ballots were recorded between" in refused.stderr
    assert "--accept-loss" in refused.stderr
    assert not list(one.data.parent.glob("postgres.*"))

    told = one.json("restore", "--to-time", when.isoformat(), "--accept-loss", BALLOT_LOG_URL="redis://127.0.0.1:1/0")

    one.pair.restart_database()
    names = one.names()
    assert "wanted5" in names
    assert not [name for name in names if name.startswith("mistake")]
    assert one.sql("SELECT count(*) > 300 FROM votes") == [(True,)]
    assert Path(told["aside"]).is_dir()
    shutil.rmtree(told["aside"])

    stream = one.stream()
    with stream.running():
        tend_until(stream, lambda: one.sql("SHOW synchronous_standby_names") == [("vote_wal",)])
        one.register("onward", 3)
        expected = one.names()
        one.destroy()
    one.json("restore", "--label", first)
    one.pair.restart_database()
    assert one.names() == expected


def test_what_cannot_be_restored_is_said_in_a_sentence(one: Installation) -> None:
    early = one.run("restore", "--to-time", "2001-01-01")
    wrong = one.run("restore", "--label", "../../etc")
    unknown = one.run("restore", "--label", "20010101T000000Z")
    when = one.run("restore", "--to-time", "yesterday")

    assert [done.returncode for done in (early, wrong, unknown, when)] == [1, 1, 1, 2]
    assert "No backup is older than 2001-01-01" in early.stderr
    assert "is not a backup label" in wrong.stderr
    assert "There is no backup 20010101T000000Z" in unknown.stderr


def test_old_backups_go_and_the_wal_that_only_they_needed(one: Installation) -> None:
    one.json("backup", "create")
    before = len(files(one.backups / "wal", "*.gz.age"))

    gone = one.run("backup", "prune", BACKUP_KEEP="1")

    assert gone.returncode == 0, gone.stderr
    labels = {row["label"] for row in one.json("backup", "list")}
    assert len(labels) <= 2  # the newest, and the newest that was verified
    assert len(files(one.backups / "wal", "*.gz.age")) <= before
    assert one.run("backup", "verify").returncode == 0


def test_a_role_that_may_not_stream_is_told_what_it_lacks(one: Installation) -> None:
    one.pair.let_in("vote_reports")

    refused = one.run("backup", "create", DATABASE_URL_BACKUP=one.pair.url("vote_reports"))

    assert refused.returncode == 1
    assert "docs/disaster-recovery.md has the grants" in refused.stderr


def test_a_day_of_backups_by_a_clock_of_ours(one: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    """One at a time, the next a day later; a failure is told and tried again soon."""
    started: list[int] = []
    settings = one.settings.model_copy(update={"backup_folder": Path("/nonexistent")})

    def start(code: int) -> subprocess.Popen[str]:
        started.append(code)
        return subprocess.Popen(
            [sys.executable, "-c", f"print('told'); raise SystemExit({code})"], stdout=subprocess.PIPE, text=True
        )

    codes = iter([1, 0, 0, 0])
    keeper = BackupScheduler(settings, lambda: start(next(codes)), random.Random(1))
    now = NOW
    keeper.tend(now)
    assert started == []
    for _ in range(40):
        now += timedelta(seconds=30)
        keeper.tend(now)
        if keeper._under_way is not None:
            keeper._under_way.wait()
    assert started[:2] == [1, 0]
    keeper.end()
    assert "backup failed" in capsys.readouterr().out
