"""`python -m bench.strangers`: what strangers who send too much, read nothing or ask too often cost everybody else.

Each attack of `tests/hostile_clients.py` runs for some seconds against `vote web` with two processes, while votes come
at a fixed rate and somebody on another network loads a page and logs in. Told are the memory of the larger process
before, at most and afterwards, and what others waited. Exit code 1 when memory grew by more than 64 MiB or a vote
waited 500 ms and more in an attack for which that is promised (S2, S3, S4).
"""

import argparse
import contextlib
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil

from bench import recording, stream
from bench.figures import percentile
from bench.ground import Ground, prepared
from bench.parts import Server, front_door, worker
from bench.stream import Stream
from tests import hostile_clients as strangers
from tests.mail_server import serving
from vote.auth import hash_password
from vote.db import users

MEMORY_MIB, VOTE_MS = 64, 500
PASSWORD = "Bench-pass-7193"  # noqa: S105  # of accounts that live as long as this run
PROMISED = ("S2", "S3", "S4")


@dataclass
class Seen:
    """What one attack did to others. Memory in MiB, times in seconds."""

    memory: list[float] = field(default_factory=list)
    pages: list[strangers.Told] = field(default_factory=list)
    logins: list[strangers.Told] = field(default_factory=list)
    votes_ms: list[float] = field(default_factory=list)
    told: str = ""


def main() -> int:
    """Every attack, or those named."""
    parser = argparse.ArgumentParser(prog="python -m bench.strangers", description=__doc__)
    parser.add_argument("attacks", nargs="*", help="calm S2 S3 S4 S5 S6 S7 (default: all)")
    parser.add_argument("--seconds", type=float, default=12, help="how long each takes (default: 12)")
    parser.add_argument("--rate", type=float, default=50, help="votes a second (default: 50)")
    options = parser.parse_args()
    broken = []
    with (
        serving() as mail,
        prepared(12_000, shared_competitions=1) as (ground, _),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        ground.environment.update(SMTP_URL=mail.url, MAIL_FROM="vote@example.org", PUBLIC_URL="http://localhost")
        _people(ground)
        crowds = ground.crowd.parts(round(options.rate * options.seconds))
        with worker(ground):
            recording.make_ready(ground)
            for name, attack in ATTACKS.items():
                if options.attacks and name not in options.attacks:
                    continue
                with front_door(ground) as server:  # each attack meets a server that is new
                    votes = Stream(server.port, ground.new_competition(), next(crowds), options.rate)
                    seen = _measure(server, pool, votes, attack, options.seconds)
                _print(name, seen)
                if name in PROMISED and not _is_kept(seen):
                    broken.append(name)
            if not options.attacks or "S7" in options.attacks:
                with front_door(ground) as server:
                    _mails(server, mail)
    print(f"promise broken by {', '.join(broken)}" if broken else "all promises kept")
    return 1 if broken else 0


def _people(ground: Ground) -> None:
    with ground.owner.transaction(by="bench") as tx:
        for name in ("ada", "eve"):
            users.insert(
                tx, username=name, email=f"{name}@example.com", password_hash=hash_password(PASSWORD), role="voter"
            )


def _measure(
    server: Server, pool: ProcessPoolExecutor, votes: Stream, attack: Callable[[int, float], str], seconds: float
) -> Seen:
    seen, is_over = Seen(), threading.Event()
    for _ in range(4):
        strangers.get(server.port, "/login")
    before = _memory(server)
    others = [threading.Thread(target=work, args=(server, seen, is_over)) for work in (_watch, _browse, _log_in)]
    cast: Future[Any] = pool.submit(stream.send, votes)
    for other in others:
        other.start()
    seen.told = attack(server.port, seconds)
    with contextlib.suppress(RuntimeError, TimeoutError):  # votes that were not taken show as none
        seen.votes_ms = [1000 * (one.accepted - one.due) for one in cast.result()]
    is_over.set()
    for other in others:
        other.join()
    seen.memory = [before, max(seen.memory), _memory(server)]
    return seen


def _memory(server: Server) -> float:
    children = psutil.Process(server.pids[0]).children()
    return max(child.memory_info().rss for child in children if "gunicorn" in " ".join(child.cmdline())) / 2**20


def _watch(server: Server, seen: Seen, is_over: threading.Event) -> None:
    while not is_over.wait(0.05):
        seen.memory.append(_memory(server))


def _browse(server: Server, seen: Seen, is_over: threading.Event) -> None:
    while not is_over.wait(0.25):
        with contextlib.suppress(OSError):
            seen.pages.append(strangers.get(server.port, "/login"))


def _log_in(server: Server, seen: Seen, is_over: threading.Event) -> None:
    while not is_over.wait(2.5):  # below the limit on log-ins of one account
        with contextlib.suppress(OSError):
            seen.logins.append(strangers.log_in(server.port, "ada", PASSWORD))


@contextlib.contextmanager
def _for(seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    yield
    time.sleep(max(0.0, until - time.monotonic()))


def _trailers(port: int, seconds: float) -> str:
    with _for(seconds):
        return f"answered {strangers.trailers(port)[:12]!r}"


def _ahead(port: int, seconds: float) -> str:
    return f"{strangers.sent_ahead(port, seconds=seconds)} requests answered"


def _unread(port: int, seconds: float) -> str:
    with strangers.unread(port), _for(seconds):
        return ""


def _fields(port: int, seconds: float) -> str:
    with strangers.many_fields(port), _for(seconds):
        return ""


def _own_logins(port: int, seconds: float) -> str:
    with strangers.own_logins(port, "eve", PASSWORD), _for(seconds):
        return ""


def _calm(_port: int, seconds: float) -> str:
    with _for(seconds):
        return ""


ATTACKS: dict[str, Callable[[int, float], str]] = {
    "calm": _calm,
    "S2": _trailers,
    "S3": _ahead,
    "S4": _unread,
    "S5": _fields,
    "S6": _own_logins,
}


def _mails(server: Server, mail: Any) -> None:
    """S7: how long somebody else's mail takes after many made-up addresses."""
    answers = strangers.forgotten(server.port)
    began, had = time.monotonic(), len(mail.mails)
    status = strangers.post(server.port, "/forgot", {"email": "ada@example.com"}).status
    while len(mail.mails) == had and time.monotonic() - began < 60:
        time.sleep(0.02)  # between two looks at the mail server
    counts = {one: answers.count(one) for one in sorted(set(answers))}
    print(f"S7  {counts}; somebody else's mail ({status}) after {time.monotonic() - began:.1f} s")


def _is_kept(seen: Seen) -> bool:
    before, most, _ = seen.memory
    return most - before <= MEMORY_MIB and bool(seen.votes_ms) and max(seen.votes_ms) < VOTE_MS


def _print(name: str, seen: Seen) -> None:
    before, most, after = seen.memory
    votes = f"p50 {percentile(seen.votes_ms, 0.5):.0f}, most {max(seen.votes_ms):.0f} ms" if seen.votes_ms else "LOST"
    print(
        f"{name}  memory {before:.0f} -> {most:.0f} -> {after:.0f} MiB; votes {votes}; "
        f"pages {_told(seen.pages)}; log-ins {_told(seen.logins)}; {seen.told}",
        flush=True,
    )


def _told(answers: list[strangers.Told]) -> str:
    if not answers:
        return "none"
    refused = sum(answer.status >= 500 for answer in answers)
    return f"most {max(answer.seconds for answer in answers):.2f} s, {refused} of {len(answers)} refused"


if __name__ == "__main__":
    sys.exit(main())
