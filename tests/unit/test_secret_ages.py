"""The age of each secret: from its manager, its file, or the file of VOTE_HOME; unknown for a plain variable, never zero."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.unit.test_config import GOOD
from vote import config, secret_ages

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def file_of_age(path: Path, text: str, days: int) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")
    then = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))
    return str(path)


def ages(environ: dict[str, str]) -> dict[str, float | None]:
    rows = secret_ages.ages_of(config.load(environ), NOW)
    return {row.name: None if row.days is None else round(row.days) for row in rows}


def test_files_have_an_age_and_plain_variables_have_none(tmp_path: Path) -> None:
    jwt = file_of_age(tmp_path / "jwt", GOOD["JWT_SECRET"], 91)
    given = {"FLASK_SECRET_KEY": GOOD["FLASK_SECRET_KEY"], "JWT_SECRET_FILE": jwt, "VOTE_HOME": str(tmp_path / "home")}

    assert ages(given) == {"FLASK_SECRET_KEY": None, "JWT_SECRET": 91}


def test_what_vote_up_made_has_the_age_of_its_file(tmp_path: Path) -> None:
    kept, password = tmp_path / "secrets", "a-password-of-vote-up-123"
    file_of_age(kept / "FLASK_SECRET_KEY", GOOD["FLASK_SECRET_KEY"], 12)
    file_of_age(kept / "postgres-vote_web", password, 34)
    file_of_age(kept / "backup-identity", "AGE-SECRET-KEY-1", 56)
    urls = {"DATABASE_URL_WEB": f"postgresql://vote_web:{password}@/vote", "REDIS_URL": "unix:///run/redis.sock"}

    found = ages(
        {**urls, **GOOD, "VOTE_HOME": str(tmp_path), "JWT_SECRET_PREVIOUS": "", "FLASK_SECRET_KEY_PREVIOUS": ""}
    )

    assert found == {"FLASK_SECRET_KEY": 12, "DATABASE_URL_WEB": 34, "BACKUP_IDENTITY": 56, "JWT_SECRET": None}


def test_a_url_without_a_password_is_no_secret(tmp_path: Path) -> None:
    given = {name: value for name, value in GOOD.items() if not name.endswith("_PREVIOUS")}
    urls = {"DATABASE_URL": "postgresql:///vote?host=/run/db", "BALLOT_LOG_URL": "redis://:hush@localhost/0"}

    assert ages({**given, **urls, "VOTE_HOME": str(tmp_path)}).keys() == {*given, "BALLOT_LOG_URL"}
