from pathlib import Path

import pytest

from vote.ops import environment

URLS = {
    "DATABASE_URL": "owner",
    "DATABASE_URL_WEB": "web",
    "DATABASE_URL_WORKER": "worker",
    "DATABASE_URL_REPORTS": "reports",
    "DATABASE_URL_BACKUP": "backup",
    "REDIS_URL": "redis",
}


def test_a_part_sees_the_urls_of_its_own_roles_alone() -> None:
    web = environment.of_part(URLS, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"])
    worker = environment.of_part(URLS, ["DATABASE_URL_WORKER"])

    assert web == {"DATABASE_URL_WEB": "web", "DATABASE_URL_REPORTS": "reports", "REDIS_URL": "redis"}
    assert worker == {"DATABASE_URL_WORKER": "worker", "REDIS_URL": "redis"}


def test_a_part_without_a_url_of_its_own_is_given_the_owners() -> None:
    web = environment.of_part(
        {"DATABASE_URL": "given", "DATABASE_URL_WEB": "web"}, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"]
    )

    assert web == {"DATABASE_URL": "given", "DATABASE_URL_WEB": "web"}


def test_commands_find_the_running_installation_and_the_environment_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("JWT_SECRET", "")
    (tmp_path / "home").mkdir()
    environment.note(tmp_path / "home", {"DATABASE_URL": "made", "REDIS_URL": "made", "JWT_SECRET": "ma$de"})

    found = environment.read_with_notes()

    assert (found["DATABASE_URL"], found["REDIS_URL"], found["JWT_SECRET"]) == ("made", "redis://elsewhere", "ma$de")
    assert (tmp_path / "home" / "environment").stat().st_mode & 0o777 == 0o600
