"""A secret without a date is as old as the first sight of it; another one is new."""

import json
import time
from pathlib import Path

import pytest

from tests.unit.test_config import GOOD
from vote import config
from vote import first_seen as sightings
from vote.first_seen import FILE, first_seen
from vote.secret_ages import SecretAgeCollector


def test_the_first_time_stays_until_the_secret_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    first = first_seen(tmp_path / "home", {"JWT_SECRET": "a", "REDIS_URL": "b"})
    monkeypatch.setattr(time, "time", lambda: 2_000.0)
    again = first_seen(tmp_path / "home", {"JWT_SECRET": "a"})
    other = first_seen(tmp_path / "home", {"JWT_SECRET": "c"})

    assert first == {"JWT_SECRET": 1_000, "REDIS_URL": 1_000}
    assert (again, other) == ({"JWT_SECRET": 1_000}, {"JWT_SECRET": 2_000})
    assert first_seen(tmp_path / "home", {"REDIS_URL": "b"}) == {"REDIS_URL": 1_000}


def test_the_file_does_not_tell_the_secret(tmp_path: Path) -> None:
    secret = "a-password-of-somebody"
    first_seen(tmp_path, {"DATABASE_URL": secret})

    file = tmp_path / FILE
    assert secret not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    digest = json.loads(file.read_text())["seen"]["DATABASE_URL"]["digest"]
    assert len(bytes.fromhex(digest)) == 2, "too short to try guesses at"


def test_a_file_that_nobody_can_read_is_made_again(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("not JSON")

    assert first_seen(tmp_path, {"JWT_SECRET": "a"}).keys() == {"JWT_SECRET"}
    assert json.loads((tmp_path / FILE).read_text())["seen"]


def test_without_a_place_to_keep_it_the_age_is_that_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = time.time()

    assert first_seen(tmp_path / "file" / "home", {"JWT_SECRET": "a"})["JWT_SECRET"] >= before


def test_every_secret_has_an_age_that_is_never_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = config.load({**GOOD, "VOTE_HOME": str(tmp_path)})
    collector = SecretAgeCollector(settings, without=["JWT_SECRET_PREVIOUS"])

    def ages() -> dict[str, float]:
        return {sample.labels["secret"]: sample.value for metric in collector.collect() for sample in metric.samples}

    first = ages()
    monkeypatch.setattr(sightings.time, "time", lambda: 0.0)

    assert first.keys() == set(GOOD) - {"JWT_SECRET_PREVIOUS"}
    assert all(age >= 1 for age in first.values())
    assert ages().keys() == first.keys()
