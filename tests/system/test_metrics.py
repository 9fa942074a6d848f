"""The metrics of the running system: what promtool and Prometheus want of them, after every route was asked."""

import re
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.stack import Stack, free_port, running, wait_until
from tests.system.test_planted_secrets import routes
from tests.system.up import Up, start, up
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.metrics.exposition import MetricsPage
from vote.metrics.folder import FolderCollector
from vote.metrics.process import ProcessCollector

pytestmark = pytest.mark.system
__all__ = ["start", "up"]  # the fixtures

NAMES = Path(__file__).parents[1] / "deploy" / "observe" / "metrics.yml"
WEB_PROCESSES = 8
SERIES_MAX = 2_000
SCRAPE_MAX_S = 0.2
# What a label may say: our own words, and numbers that count no people, competitions or addresses.
WORDS = re.compile(r"[A-Za-z][A-Za-z_ -]*|/[a-z]*")
NUMBERED = {
    "le": r"[0-9.e+-]+|\+Inf",
    "status": r"[1-5]\d\d",
    "shard": r"\d{1,4}",
    "version": r"[\d.]+",
    "commit": r"\w+",
}


@pytest.fixture
def metrics_port() -> int:
    return free_port()


@pytest.fixture
def crowd(environment: dict[str, str], tmp_path: Path, metrics_port: int) -> Iterator[Stack]:
    """A web of eight processes and a worker, with limits that let everything in."""
    more = {"WEB_CONCURRENCY": str(WEB_PROCESSES), "LIMIT_API_PER_S": "100000", "LIMIT_VOTES_BURST": "100000"}
    with running({**environment, **more}, tmp_path / "s", of_worker={"METRICS_PORT": str(metrics_port)}) as one:
        yield one


def fetch(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def samples(page: str) -> list[tuple[str, dict[str, str], float]]:
    return [(one.name, one.labels, one.value) for family in parse(page) for one in family.samples]


def total(page: str, name: str, **labels: str) -> float:
    return sum(value for found, given, value in samples(page) if found == name and labels.items() <= given.items())


def complaints(page: str) -> str:
    """What promtool says of a page; the table of `--extended` is no complaint."""
    plain = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    more = subprocess.run(
        ["promtool", "check", "metrics", "--extended"], input=page, capture_output=True, text=True, check=False
    )
    assert f"Total {len(samples(page)):>1}"[:5] in more.stdout
    return plain.stdout + plain.stderr + more.stderr + f"{plain.returncode or ''}{more.returncode or ''}"


def ask_everything(stack: Stack, competition: Competition, account: Account, tokens: list[str | None]) -> None:
    for method, path in routes(stack.environment, competition.id, account.id):
        for token in tokens:
            stack.request(method, path, token=token, body=None if method == "GET" else {"vote": "a"})


def votes_of(stack: Stack) -> tuple[float, float]:
    """How many votes the web has accepted, and how many requests it has answered so."""
    page = stack.get("/metrics").body.decode()
    accepted = {"route": "/vote", "method": "POST", "status": "202"}
    return total(page, "vote_accepted_total"), total(page, "vote_requests_total", **accepted)


def scrape_s(stack: Stack) -> float:
    """The processor time that it takes to sum all processes and read their figures, which does not depend on neighbours."""
    folder = next(Path(stack.environment["VOTE_HOME"]).glob("metrics-*"))
    assert len(list(folder.glob("counter_*.db"))) >= WEB_PROCESSES
    page = MetricsPage(ProcessCollector("web", commit="unknown"), sums=FolderCollector(folder))
    began = time.thread_time()
    assert b"vote_accepted_total" in page.text()
    return time.thread_time() - began


def kill_one(stack: Stack) -> None:
    """Kill a process of the web, and return when another one has taken its place."""
    gone, *others = psutil.Process(stack.web_pid).children()
    gone.kill()
    before = {gone, *others}
    wait_until(lambda: len(set(psutil.Process(stack.web_pid).children()) - before) == 1)
    stack.wait_ready()


@pytest.mark.promtool
def test_every_route_leaves_metrics_in_order(
    crowd: Stack,
    metrics_port: int,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    token_of: Callable[[Account], str],
) -> None:
    competition, person = make_competition(), make_user(username="planted-name-4711")
    tokens = [None, *(token_of(make_user(role=role)) for role in ("voter", "organiser", "admin"))]
    assert crowd.vote(competition.id, "a", token_of(make_user())).status == 202  # before a route closes it
    ask_everything(crowd, competition, person, tokens)
    wait_until(lambda: total(fetch(metrics_port), "vote_recorded_delay_seconds_count") >= 1)

    assert min(scrape_s(crowd) for _ in range(5)) <= SCRAPE_MAX_S
    for page in (crowd.get("/metrics").body.decode(), fetch(metrics_port)):
        assert complaints(page) == ""
        found = samples(page)
        assert len(found) <= SERIES_MAX
        for name, labels, _ in found:
            for label, value in labels.items():
                assert re.fullmatch(NUMBERED.get(label, WORDS.pattern), value), (name, label, value)
        assert max(Counter((name, *sorted(labels.items())) for name, labels, _ in found).values()) == 1


def test_what_processes_counted_stays_when_they_are_killed(
    stack: Stack,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    token_of: Callable[[Account], str],
) -> None:
    competition, counted = make_competition(), 0
    for _ in range(5):
        for _ in stack.web_processes_alone():
            assert stack.vote(competition.id, "a", token_of(make_user())).status == 202
            counted += 1
        wait_until(lambda: votes_of(stack)[1] == counted)  # noqa: B023  # called at once; requests are counted in batches
        kill_one(stack)
        assert votes_of(stack) == (counted, counted)

    folder = next(Path(stack.environment["VOTE_HOME"]).glob("metrics-*"))
    living = {str(child.pid) for child in psutil.Process(stack.web_pid).children()} | {str(stack.web_pid)}
    left = {path.stem.rpartition("_")[2] for path in folder.glob("*.db")}
    assert left <= living, "files of processes that have ended"


def test_each_part_has_its_names_from_the_start(up: Up) -> None:
    names = yaml.safe_load(NAMES.read_text("utf-8"))
    pages = {
        "web": up.get("/metrics").body.decode(),
        "worker": fetch(up.metrics_port),
        "backup": fetch(up.metrics_port + 1),
    }

    there = {re.sub(r"_(bucket|sum|count)$", "", name) for page in pages.values() for name, _, _ in samples(page)}
    assert there == set(names["vote"])
    assert all(name.startswith("vote_heartbeat_") for name in names["to_come"])
    for part, page in pages.items():
        assert total(page, "vote_build_info", part=part) == 1
        assert total(page, "vote_process_resident_bytes", part=part) > 1_000_000
        assert all(value >= 1 for name, _, value in samples(page) if name == "vote_secret_age_seconds")
    assert {labels["outcome"] for name, labels, _ in samples(pages["web"]) if name == "vote_login_total"} == {
        "ok", "wrong", "delayed", "locked", "disabled",
    }  # fmt: skip
    secrets = {labels["secret"] for name, labels, _ in samples(pages["backup"]) if name == "vote_secret_age_seconds"}
    assert "BACKUP_IDENTITY" in secrets
    assert not {"FLASK_SECRET_KEY", "JWT_SECRET"} & secrets, "it has some that open nothing"
    wait_until(lambda: total(fetch(up.metrics_port + 1), "vote_wal_stream_up") == 1)
