"""The sums over processes are exact, however many have ended, and whenever somebody reads them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import values

from vote.metrics import folder as folders
from vote.metrics.folder import FolderCollector, process_ended

RECYCLES = 200
NAME = "vote_counted_total"


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, float], None]:
    """Counts as the process with this number would."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    def count(pid: int, amount: float) -> None:
        make: Any = values.MultiProcessValue
        value_class = make(lambda: pid)
        value_class("counter", "vote_counted", NAME, (), (), "Counted.").inc(amount)
        value_class("histogram", "vote_size", "vote_size_bucket", ("le",), ("1.0",), "Size.").inc(1)
        value_class("gauge", "vote_open", "vote_open", (), (), "Open.", "livesum").set(1)
        value_class.close_all_files()

    return count


def figures(folder: Path) -> dict[str, float]:
    return {sample.name: sample.value for metric in FolderCollector(folder).collect() for sample in metric.samples}


def test_sums_are_exact_after_200_processes_and_nothing_grows(tmp_path: Path) -> None:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.unit.metrics.recycles", str(tmp_path), str(RECYCLES)]

    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)

    assert report["last"]["vote_ballots_total accepted"] == 3 * RECYCLES
    assert report["last"]["vote_request_seconds_count /vote"] == 2 * RECYCLES
    assert report["last"]["vote_request_seconds_bucket 0.005 /vote"] == RECYCLES
    assert report["last"]["vote_request_seconds_sum /vote"] == pytest.approx(0.204 * RECYCLES)
    assert report["lost"] == [], "a process that ends takes nothing from the sums"
    (files, size), (files_at_last, size_at_last) = report["sizes"]
    assert files_at_last == files
    assert size_at_last < size + 1_000, "only figures become longer"


def test_gauges_of_the_dead_do_not_count(tmp_path: Path, counted: Callable[[int, float], None]) -> None:
    counted(1, 5)
    counted(2, 6)
    process_ended(tmp_path, 1)

    assert figures(tmp_path) == {NAME: 11, "vote_size_bucket": 2, "vote_size_count": 2, "vote_open": 1}


def test_a_reader_sees_each_process_once_while_it_is_summed(
    tmp_path: Path, counted: Callable[[int, float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(1, 5)
    counted(2, 6)
    seen = []
    delete = Path.unlink

    def look_then_delete(self: Path, missing_ok: bool = False) -> None:
        if self.name.startswith(("counter", "histogram")):
            seen.append(figures(tmp_path)[NAME])
        delete(self, missing_ok)
        if self.name.startswith(("counter", "histogram")):
            seen.append(figures(tmp_path)[NAME])

    monkeypatch.setattr(Path, "unlink", look_then_delete)
    process_ended(tmp_path, 1)

    assert seen == [11, 11, 11, 11]


def test_a_reader_that_listed_a_file_which_is_gone_begins_again(
    tmp_path: Path, counted: Callable[[int, float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(1, 5)
    counted(2, 6)
    read, ended = folders._read_sums, []

    def end_one_meanwhile(folder: Path) -> Any:
        found = read(folder)
        if not ended:
            ended.append(1)
            process_ended(folder, 1)
        return found

    monkeypatch.setattr(folders, "_read_sums", end_one_meanwhile)

    assert figures(tmp_path)[NAME] == 11


def test_a_later_process_with_the_same_number_counts_too(tmp_path: Path, counted: Callable[[int, float], None]) -> None:
    for amount in (5, 6, 7):
        counted(1, amount)
        process_ended(tmp_path, 1)
    counted(1, 8)

    assert figures(tmp_path)[NAME] == 26


def test_a_damaged_file_ends_nothing(tmp_path: Path, counted: Callable[[int, float], None]) -> None:
    counted(1, 5)
    process_ended(tmp_path, 1)
    (tmp_path / "counter_2.db").write_bytes(b"\x00")

    process_ended(tmp_path, 2)

    assert (tmp_path / "counter_2.db.damaged").exists()
    assert figures(tmp_path)[NAME] == 5


def test_a_start_begins_at_zero(tmp_path: Path, counted: Callable[[int, float], None]) -> None:
    counted(1, 5)
    process_ended(tmp_path, 1)
    counted(2, 5)

    folders.clear(tmp_path)

    assert figures(tmp_path) == {}
