"""`python -m bench.servers`: the same votes and the same bare app under uvicorn and under granian, by ASGI and RSGI.

For the decision which server stands before the front door (`docs/adr/`).
"""

import contextlib
import sys
from collections.abc import Iterator
from statistics import median

from bench import contest
from bench.contest import Contestant
from bench.ground import ROOT, WEB_PROCESSES, Ground
from bench.parts import Server, bare_app, free_port, front_door, running
from bench.voters import HOST

GRANIAN = ("--workers", str(WEB_PROCESSES), "--loop", "uvloop", "--no-access-log", "--log-level", "warning")


def main() -> int:
    """Measure in turns, print a table."""
    _print(contest.run("python -m bench.servers", __doc__, _all, voting=2))
    return 0


def _all(ground: Ground) -> Iterator[contextlib.AbstractContextManager[Contestant]]:
    yield contest.named("bare, uvicorn", bare_app(ground), is_bare=True)
    yield contest.named("bare, granian ASGI", _granian(ground, "asgi", "bench.bare:app"), is_bare=True)
    yield contest.named("bare, granian RSGI", _granian(ground, "rsgi", "bench.granian_app:app"), is_bare=True)
    yield contest.named("votes, uvicorn", front_door(ground), is_bare=False)
    yield contest.named("votes, granian ASGI", _granian(ground, "asgi", "vote.asgi:app"), is_bare=False)


@contextlib.contextmanager
def _granian(ground: Ground, interface: str, app: str) -> Iterator[Server]:
    port = free_port()
    name = f"granian-{port}"
    (ground.folder / name).mkdir()
    own = {"PROMETHEUS_MULTIPROC_DIR": str(ground.folder / name), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "granian", "--host", HOST, "--port", str(port), "--interface", interface]
    with running(
        ground, name, [*command, *GRANIAN, app], ground.environment | own, path=f"http://{HOST}:{port}/health"
    ) as process:
        yield Server(port, (process.pid, ground.pair.log_pid))


def _print(contestants: list[Contestant]) -> None:
    print("| server | per second | of uvicorn | p99 ms | server µs | statuses |\n|---|---:|---:|---:|---:|---|")
    for one in contestants:
        uvicorn = next(other for other in contestants if other.is_bare == one.is_bare)
        ratio = median(a.per_second / b.per_second for a, b in zip(one.samples, uvicorn.samples, strict=True))
        rate, p99, us = (
            median(getattr(s, field) for s in one.samples) for field in ("per_second", "p99_ms", "server_us")
        )
        statuses = {status for sample in one.samples for status in sample.statuses}
        print(f"| {one.name} | {rate:,.0f} | {ratio:.2f} | {p99:.0f} | {us:.0f} | {sorted(statuses)} |")


if __name__ == "__main__":
    sys.exit(main())
