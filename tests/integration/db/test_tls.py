"""PostgreSQL over TLS with `verify-full`: only the right server, named by its right name, is talked to at all.

On Debian's PostgreSQL: the one of the wheels speaks no TLS.
"""

import contextlib
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.certificates import Authority, Certificate
from tests.stack import free_port
from vote.config import DatabaseTarget
from vote.db import migrate
from vote.db.pool import WAIT_FOR_CONNECTION_S, Database
from vote.db.replication import connected
from vote.errors import DatabaseUnavailable
from vote.ops.account import server_account
from vote.ops.embedded import programs
from vote.ops.embedded.home import ServerRoom, make_room, prepare
from vote.ops.embedded.postgres import SUPERUSER, Postgres
from vote.ops.process import Process
from vote.ops.server_start import start_ready

pytestmark = pytest.mark.tls

NAME = "localhost"  # what the certificate names; the same server is 127.0.0.1, which it does not name
MARGIN_S = 3.0  # what a machine that is busy with other tests may add
ONLY_TLS = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


class Server:
    """One that takes TCP connections with TLS alone, its authority, and one that nobody should believe."""

    def __init__(self, folder: Path) -> None:
        account = server_account()
        self._room: ServerRoom = make_room(prepare(folder), account)
        self._postgres = Postgres(self._room, programs.find("system", account), durable=False)
        self.port = free_port()
        self.authority, self.stranger = Authority(folder, "ours"), Authority(folder, "stranger")
        self._certificates = self._room.data
        self._good = self._put(self.authority.issue("good", NAME, owner=account))
        self._expired = self._put(self.authority.issue("expired", NAME, owner=account, expired=True))
        self._process = self._make()

    def _put(self, made: Certificate) -> Certificate:
        """Where the server can read it: the folder of the test is closed to its account."""
        return Certificate(*(Path(shutil.move(path, self._certificates / path.name)) for path in made))

    def _make(self) -> Process:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "ssl": "on",
            "ssl_cert_file": str(self._certificates / "server.pem"),
            "ssl_key_file": str(self._certificates / "server.key"),
        }
        part = self._postgres.part()
        given = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return Process(replace(part, command=[*part.command, *given], is_ready=self._is_ready))

    def _is_ready(self) -> bool:
        return psycopg.pq.PGconn.ping(self._by_socket.encode()) == psycopg.pq.Ping.OK

    @property
    def _by_socket(self) -> str:
        return self._postgres.url(SUPERUSER, "postgres").replace("port=5432", f"port={self.port}")

    def start(self) -> None:
        self._use(self._good)
        start_ready(self._process)
        self.admin("CREATE DATABASE vote")
        (self._postgres.data / "pg_hba.conf").write_text(ONLY_TLS)
        self._reload()

    def admin(self, statement: str) -> None:
        """Something its superuser does, by its socket."""
        with psycopg.connect(self._by_socket, autocommit=True) as connection:
            connection.execute(statement.encode())

    def expire(self) -> None:
        """It shows a certificate whose time is over."""
        self._use(self._expired)
        self._reload()

    def renew(self) -> None:
        self._use(self._good)
        self._reload()

    @contextlib.contextmanager
    def without_tls(self) -> Iterator[None]:
        """It speaks plain text alone, at the same address."""
        self._process.stop()
        command = [word if word != "ssl=on" else "ssl=off" for word in self._process.part.command]
        plain = Process(replace(self._process.part, command=command))
        start_ready(plain)
        try:
            yield
        finally:
            plain.stop()
            start_ready(self._process)

    def _use(self, one: Certificate) -> None:
        for source, target in zip(one, ("server.pem", "server.key"), strict=True):
            new = self._certificates / f"{target}.new"
            shutil.copy2(source, new)
            if self._room.account is not None:
                self._room.account.give(new)
            new.rename(self._certificates / target)

    def _reload(self) -> None:
        self.admin("SELECT pg_reload_conf()")
        time.sleep(0.5)  # the postmaster tells nobody when it has read them

    def url(self, *, host: str = NAME, mode: str = "verify-full", ca: Path | None = None) -> str:
        """The owner's URL over TCP."""
        secret = self._postgres.url(SUPERUSER).split("@")[0]
        query = f"sslmode={mode}" + (f"&sslrootcert={ca or self.authority.ca}" if mode != "disable" else "")
        return f"{secret}@{host}:{self.port}/vote?{query}"

    def stop(self) -> None:
        self._process.kill()
        shutil.rmtree(self._room.data)
        shutil.rmtree(self._room.sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, running."""
    one = Server(tmp_path_factory.mktemp("tls"))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def opened() -> Iterator[Callable[[str], Database]]:
    """Opens pools as the parts do, and closes them."""
    pools: list[Database] = []

    def open_pool(url: str) -> Database:
        pools.append(Database(DatabaseTarget(url, None), size=1, name="vote tests"))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pool.close()


def test_the_right_server_is_talked_to_in_tls(server: Server, opened: Callable[[str], Database]) -> None:
    with opened(server.url()).read() as tx:
        row = tx.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()

    assert row is not None
    assert row[0] is True
    assert row[1] in ("TLSv1.2", "TLSv1.3")


def test_migrations_and_backups_take_the_same_url(server: Server) -> None:
    assert migrate.upgrade(server.url())[1] == migrate.newest()
    with connected(DatabaseTarget(server.url(), None), name="vote backup") as tx:
        assert tx.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)


WRONG = {
    "another authority": (lambda server: server.url(ca=server.stranger.ca), "certificate verify failed"),
    "another name": (lambda server: server.url(host="127.0.0.1"), "does not match host name"),
    "plain text": (lambda server: server.url(mode="disable"), "no pg_hba.conf entry .* no encryption"),
    "no such file": (lambda server: server.url(ca=Path("/nowhere/ca.pem")), "/nowhere/ca.pem"),
}


@pytest.mark.parametrize("case", WRONG)
def test_anything_else_is_refused_and_the_log_says_why(
    server: Server, opened: Callable[[str], Database], caplog: pytest.LogCaptureFixture, case: str
) -> None:
    make_url, reason = WRONG[case]

    refused(opened(make_url(server)), caplog, reason)
    with pytest.raises(DatabaseUnavailable, match=reason):
        migrate.upgrade(make_url(server))


def test_a_certificate_whose_time_is_over_is_refused(
    server: Server, opened: Callable[[str], Database], caplog: pytest.LogCaptureFixture
) -> None:
    server.expire()
    try:
        refused(opened(server.url()), caplog, "certificate (verify failed|has expired)")
        with pytest.raises(DatabaseUnavailable, match="certificate"):
            migrate.upgrade(server.url())
    finally:
        server.renew()


def test_it_is_back_by_itself_once_the_certificate_is_good_again(
    server: Server, opened: Callable[[str], Database], caplog: pytest.LogCaptureFixture
) -> None:
    database = opened(server.url())
    server.expire()
    try:
        refused(database, caplog, "certificate")
    finally:
        server.renew()
    time.sleep(0.3)  # the breaker lets somebody try

    with database.read() as tx:
        assert tx.execute("SELECT 1").fetchone() == (1,)


def test_a_server_without_tls_is_refused(server: Server, opened: Callable[[str], Database]) -> None:
    database = opened(server.url())
    with server.without_tls():
        with pytest.raises(DatabaseUnavailable), database.read():
            raise AssertionError("it was talked to")
        with pytest.raises(DatabaseUnavailable, match="server does not support SSL"):
            migrate.upgrade(server.url())


def refused(database: Database, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """It cannot be used, nobody waits long, and an operator reads why."""
    caplog.set_level(logging.WARNING, "psycopg.pool")
    began = time.monotonic()

    with pytest.raises(DatabaseUnavailable), database.read():
        raise AssertionError("it was talked to")

    assert time.monotonic() - began < WAIT_FOR_CONNECTION_S + MARGIN_S
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert re.search(reason, said), said
