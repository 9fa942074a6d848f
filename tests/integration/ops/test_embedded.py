"""The embedded servers, as a crash, a second start or a wrong program finds them."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from tests.stack import wait_until
from vote.errors import ConfigError
from vote.ops import server_start
from vote.ops.account import server_account
from vote.ops.embedded.postgres import OWNER, SUPERUSER, Postgres
from vote.ops.embedded.stale_servers import servers_in
from vote.ops.embedded.valkey import Valkey
from vote.ops.process import Process
from vote.ops.server_start import start_ready


def test_postgresql_gives_the_owner_what_it_needs_and_no_more(postgres: Postgres) -> None:
    process = Process(postgres.part())
    start_ready(process)
    postgres.provide()
    postgres.provide()

    with psycopg.connect(postgres.url(OWNER), autocommit=True) as owner:
        may = owner.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        settings: dict[str, str] = dict(
            owner.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN"
                " ('data_checksums', 'listen_addresses', 'lc_collate', 'server_encoding', 'password_encryption')"
            ).fetchall()
        )
        collation = owner.execute("SELECT datcollate FROM pg_database WHERE datname = 'vote'").fetchone()
        owner.execute("CREATE ROLE vote_guest NOLOGIN")
    postgres.let_in(["vote_guest"])
    with psycopg.connect(postgres.url("vote_guest")) as guest:
        assert guest.execute("SELECT session_user").fetchone() == ("vote_guest",)

    assert may == (False, True, True, False)
    assert collation == ("C",)
    assert settings["data_checksums"] == "on"
    assert settings["server_encoding"] == "UTF8"
    assert settings["password_encryption"] == "scram-sha-256"
    assert not settings["listen_addresses"]
    secrets = sorted(postgres.room.home.secrets.iterdir())
    assert [path.name for path in secrets] == ["postgres-postgres", "postgres-vote_guest", "postgres-vote_owner"]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    log = (postgres.room.home.logs / "postgres.log").read_text()
    assert not [path for path in secrets if path.read_text().strip() in log]
    process.stop()


def test_what_was_committed_survives_the_postmasters_death(postgres: Postgres) -> None:
    process = Process(postgres.part())
    start_ready(process)
    with psycopg.connect(postgres.url(SUPERUSER, "postgres")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")

    process.kill()
    start_ready(process)

    with psycopg.connect(postgres.url(SUPERUSER, "postgres")) as connection:
        assert connection.execute("SELECT a FROM t").fetchone() == (1,)
    process.stop()
    assert process.exit_code == 0


def test_a_server_left_behind_is_ended_by_the_next_start_and_others_are_not(
    postgres: Postgres, valkey: Valkey, tmp_path: Path
) -> None:
    others = Process(valkey.part())
    start_ready(others)
    left = Process(postgres.part())
    start_ready(left)
    with psycopg.connect(postgres.url(SUPERUSER, "postgres")) as connection:
        backends = set(servers_in(postgres.data))
        assert connection.info.backend_pid in backends

        new = Process(postgres.part())
        start_ready(new)

    assert not left.is_alive()
    assert not backends & set(servers_in(postgres.data))
    assert others.is_alive()
    new.stop()
    others.stop()


def test_a_pid_file_that_names_a_stranger_does_not_keep_postgresql_out(postgres: Postgres) -> None:
    process = Process(postgres.part())
    start_ready(process)
    process.kill()
    pid_file = postgres.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")  # the number was given to somebody else

    start_ready(process)

    assert process.is_alive()
    process.stop()


def test_data_of_another_major_version_is_refused(postgres: Postgres) -> None:
    process = Process(postgres.part())
    start_ready(process)
    process.stop()
    (postgres.data / "PG_VERSION").write_text("14\n")

    with pytest.raises(ConfigError, match="was made by PostgreSQL 14"):
        start_ready(process)


def test_an_interrupted_initdb_is_begun_again(postgres: Postgres) -> None:
    (postgres.room.data / "postgres.new").mkdir()
    (postgres.room.data / "postgres.new" / "half").touch()
    (postgres.room.data / "password").touch()

    process = Process(postgres.part())
    start_ready(process)

    left = {path.name for path in postgres.room.data.iterdir()}
    assert not left & {"postgres.new", "password"}
    process.stop()


def test_a_server_that_cannot_start_says_why(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_start, "RETRY_S", 0)
    part = postgres.part()
    broken = Process(replace(part, command=[*part.command, "-c", "max_connections=none"]))

    with pytest.raises(
        ConfigError, match=r'(?s)postgres does not start.*invalid value for parameter "max_connections"'
    ):
        start_ready(broken)


def test_valkey_keeps_what_it_acknowledged(valkey: Valkey) -> None:
    process = Process(valkey.part())
    start_ready(process)
    with redis.Redis.from_url(valkey.url) as client:
        settings = {name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy")}
        client.xadd("stream", {"a": "1"})

    process.kill()
    start_ready(process)

    with redis.Redis.from_url(valkey.url) as client:
        assert client.xlen("stream") == 1
    assert settings == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    process.stop()


def test_a_frozen_valkey_left_behind_is_ended_too(valkey: Valkey) -> None:
    left, new = Process(valkey.part()), Process(valkey.part())
    start_ready(left)
    left.send(signal.SIGSTOP)

    start_ready(new)

    wait_until(lambda: not left.is_alive())
    new.stop()


def test_servers_never_run_as_root(valkey: Valkey) -> None:
    process = Process(valkey.part())
    start_ready(process)

    account = server_account()
    assert Path(f"/proc/{process.pid}").stat().st_uid == (account.uid if account else os.geteuid())
    assert Path(f"/proc/{process.pid}").stat().st_uid != 0
    process.stop()
