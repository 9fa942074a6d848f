"""The web behind a PgBouncer in transaction mode, with many more requests at once than it has connections to the server."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest

from tests import synthetic_voters as crowd
from tests.conftest import PASSWORD
from tests.module_wide import database_url, environment, redis_url
from tests.pooler import Pooler
from tests.servers import Pair
from tests.stack import Answer, Stack, running, wait_until
from tests.synthetic_voters import Ballot
from vote.db.pool import STATEMENT_TIMEOUT_MS, Database
from vote.db.users import Account

pytestmark = pytest.mark.pgbouncer

SIZE = 3  # connections to the server for each login
AT_ONCE = 32  # requests under way: ten for each of them
__all__ = ["database_url", "environment", "redis_url"]  # of the whole file


@pytest.fixture(scope="module")
def pooler(servers: Pair, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooler]:
    """PgBouncer with the shipped configuration."""
    name = urlsplit(database_url).path.removeprefix("/")
    one = Pooler(servers, name, tmp_path_factory.mktemp("pooler"), size=SIZE)
    one.start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def stack(pooler: Pooler, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The web behind it, the worker not."""
    behind = {
        "DATABASE_POOLER": "transaction",
        "DATABASE_URL_WEB": pooler.url("vote_web"),
        "DATABASE_URL_REPORTS": pooler.url("vote_reports"),
    }
    with running(environment | behind, tmp_path_factory.mktemp("stack")) as one:
        yield one


def at_once(asks: list[Callable[[], Answer]]) -> list[Answer]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [one.result() for one in [pool.submit(ask) for ask in asks]]


def test_everything_works_with_many_more_requests_than_connections(
    stack: Stack,
    owner: Database,
    make_user: Callable[..., Account],
    token_of: Callable[[Account], str],
) -> None:
    organisers = [make_user(role="organiser") for _ in range(8)]
    names = [f"Stage {number}" for number in range(40)]
    made = at_once(
        [
            lambda name=name, by=organisers[n % 8]: stack.post(  # type: ignore[misc]
                "/api/admin/competitions", {"name": name, "option_a": "River", "option_b": "Hall"}, token=token_of(by)
            )
            for n, name in enumerate(names)
        ]
    )
    assert Counter(one.status for one in made) == {201: 40}
    competition = made[0].json["id"]

    people = [f"person-{number}" for number in range(2)]
    form = {"password": PASSWORD, "confirm_password": PASSWORD}
    registered = at_once(
        [
            lambda name=name: stack.post("/register", {"username": name, "email": f"{name}@example.com", **form})  # type: ignore[misc]
            for name in people
        ]
    )
    assert [one.status for one in registered] == [201, 201]
    logged_in = [stack.post("/login", {"username": name, "password": PASSWORD}) for name in people]
    assert [one.status for one in logged_in] == [200, 200]

    voters = crowd.make_voters(owner, 200)
    told = crowd.press(stack.url, [Ballot(competition, voter, "ab"[voter % 2]) for voter in voters])
    assert Counter(one.status for one in told) == {202: 200}
    assert stack.vote(competition, "a", logged_in[0].json["token"]).status == 202

    token = logged_in[1].json["token"]
    paths = [f"/vote/{competition}", f"/results/{competition}", f"/api/competitions/{competition}/results"]
    read = at_once([lambda path=path: stack.get(path) for path in paths * 40])  # type: ignore[misc]
    read += at_once([lambda: stack.get("/api/me", token=token) for _ in range(80)])
    assert Counter(one.status for one in read) == {200: 200}

    wait_until(lambda: stack.results(competition)["total"] == 201, what="all are recorded")
    closed = stack.post(f"/api/admin/competitions/{competition}/close", token=token_of(organisers[0]))
    assert closed.status in (200, 202)
    wait_until(lambda: stack.results(competition)["state"] == "closed", what="it is final")

    with owner.read() as tx:
        rows = tx.execute(
            "SELECT after ->> 'name', actor FROM audit_log WHERE after ->> 'name' = ANY(%s) ORDER BY id DESC",
            (names,),
        ).fetchall()
    # Who acts is said in each transaction: nobody's name is left on a connection for the next one.
    assert dict(rows) == {name: f"user:{organisers[n % 8].id}" for n, name in enumerate(names)}


def test_the_server_has_few_connections_each_with_its_role_and_time_limit(
    stack: Stack, pooler: Pooler, servers: Pair
) -> None:
    at_once([lambda: stack.get("/api/competitions/1") for _ in range(AT_ONCE)])
    with contextlib.ExitStack() as held:
        every = [
            held.enter_context(psycopg.connect(pooler.url("vote_web"), prepare_threshold=None)) for _ in range(SIZE)
        ]
        # Each is in a transaction, so that together they hold every connection there can be.
        said = [one.execute("SELECT current_user, current_setting('statement_timeout')").fetchone() for one in every]
    with psycopg.connect(servers.superuser_url) as superuser:
        backends = Counter(
            row[0]
            for row in superuser.execute(
                "SELECT usename FROM pg_stat_activity WHERE usename IN ('vote_web', 'vote_reports')"
            )
        )

    assert said == [("vote_web", f"{STATEMENT_TIMEOUT_MS // 1000}s")] * SIZE
    assert 0 < backends["vote_web"] <= SIZE
    assert backends["vote_reports"] <= SIZE
    assert not [line for line in stack.get("/ready").json["warnings"] if "statement_timeout" in line]


def test_when_every_connection_to_the_server_is_taken_the_answer_is_503_and_then_all_is_well(
    stack: Stack, pooler: Pooler, make_user: Callable[..., Account], token_of: Callable[[Account], str]
) -> None:
    token = token_of(make_user())
    with contextlib.ExitStack() as held:
        for _ in range(SIZE):  # transactions that do not end
            held.enter_context(psycopg.connect(pooler.url("vote_web"), prepare_threshold=None)).execute("SELECT 1")
        refused = at_once([lambda: stack.get("/api/me", token=token) for _ in range(8)])

    assert {one.status for one in refused} == {503}
    assert all(int(one.headers["Retry-After"]) > 0 for one in refused)
    assert {one.json["detail"] for one in refused} == {"The service is busy. Try again in a few seconds."}
    wait_until(lambda: stack.get("/api/me", token=token).status == 200, what="it is as before")
