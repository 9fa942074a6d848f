"""A ballot log with one replica, watched by three Sentinels: real processes on loopback, started from one server program."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.stack import free_port, wait_until

SERVICE = "vote"
DOWN_AFTER_MS = 1_000
SAFE = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
# A primary that is cut off must stop acknowledging before its replica is promoted (docs/protocol.md, limits).
CAREFUL = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2", "--repl-diskless-sync-delay", "0"]


class ReplicatedLog:
    """Two servers and three Sentinels."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._ports = [free_port(), free_port()]
        self._sentinel_ports = [free_port() for _ in range(3)]
        self._servers: dict[int, subprocess.Popen[bytes]] = {}
        self._sentinels: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        watchers = ",".join(f"127.0.0.1:{port}" for port in self._sentinel_ports)
        return f"redis+sentinel://{watchers}/{SERVICE}"

    def start(self) -> None:
        """All of it; returns when the replica follows."""
        first, second = self._ports
        self._start_server(first, None)
        self._start_server(second, first)
        for port in self._sentinel_ports:
            self._start_sentinel(port, first)
        wait_until(lambda: self._replicas_of(first) == 1, what="the replica follows")
        try:
            wait_until(lambda: all(self._watches(port) for port in self._sentinel_ports), what="the Sentinels know it")
        except AssertionError as error:
            raise AssertionError(self._output()) from error

    def kill_primary(self) -> int:
        """kill -9 of whoever is primary; returns its port."""
        port = self.primary()
        self._servers[port].kill()
        self._servers[port].wait()
        return port

    def freeze_primary(self) -> int:
        """Cut the primary off in time, as a partition does."""
        port = self.primary()
        self._servers[port].send_signal(19)
        return port

    def freeze_replica(self) -> int:
        """Stop the replica in time: the primary goes on, and what it takes is on no other disk. Returns its port."""
        port = next(port for port in self._ports if port != self.primary())
        self._servers[port].send_signal(19)
        return port

    def thaw(self, port: int) -> None:
        self._servers[port].send_signal(18)

    def come_back(self, port: int) -> None:
        """Start a dead server as a careful start script does: as a replica of whoever is primary now."""
        primary = wait_until(lambda: self.primary() if self.primary() != port else 0, what="a promotion")
        self._start_server(port, primary)

    def primary(self) -> int:
        """The port of the primary, as the first Sentinel sees it."""
        with redis.Redis(port=self._sentinel_ports[0], decode_responses=True) as sentinel:
            return int(sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def stop(self) -> None:
        for process in [*self._servers.values(), *self._sentinels]:
            process.kill()
            process.wait()

    def _start_server(self, port: int, follows: int | None) -> None:
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        command = [
            str(self._program),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            *SAFE,
            *CAREFUL,
        ]
        if follows is not None:
            command += ["--replicaof", "127.0.0.1", str(follows)]
        self._servers[port] = self._spawn(port, command)

    def _start_sentinel(self, port: int, primary: int) -> None:
        config = self._folder / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        self._sentinels.append(self._spawn(port, [str(self._program), str(config), "--sentinel"]))

    def _spawn(self, port: int, command: list[str]) -> subprocess.Popen[bytes]:
        """Start it and return when it answers: itself, not somebody else who had the port already."""
        with (self._folder / f"output-{port}").open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(lambda: self._answers(port), what=f"the server on {port} answers")
        assert process.poll() is None, self._output()
        return process

    def _output(self) -> str:
        """The last lines of each server."""
        outputs = sorted(self._folder.glob("output-*"))
        return "\n".join("\n".join([one.name, *one.read_text("utf-8").splitlines()[-30:]]) for one in outputs)

    def _answers(self, port: int) -> bool:
        with contextlib.suppress(redis.RedisError), redis.Redis(port=port) as client:
            return bool(client.ping())
        return False

    def _replicas_of(self, port: int) -> int:
        with redis.Redis(port=port, decode_responses=True) as client:
            return int(client.info("replication")["connected_slaves"])

    def _watches(self, port: int) -> bool:
        with redis.Redis(port=port, decode_responses=True) as sentinel:
            found = sentinel.execute_command("SENTINEL", "MASTER", SERVICE)
        facts = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        return int(facts["num-slaves"]) == 1 and int(facts["num-other-sentinels"]) == 2


@contextlib.contextmanager
def replicated_log(program: Path, folder: Path) -> Iterator[ReplicatedLog]:
    """A replicated log that is ready, ended afterwards."""
    log = ReplicatedLog(program, folder)
    try:
        log.start()
        yield log
    finally:
        log.stop()
