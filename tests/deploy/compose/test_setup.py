"""setup: refuses what cannot work, sets up the rest once, and what runs then is sealed."""

import json
from collections.abc import Callable

import pytest

from tests.deploy.compose.conftest import SETUP, House
from tests.deploy.compose.host import Host
from tests.stack import wait_until

LONG_RUNNING = {
    "nginx",
    "web-1",
    "web-2",
    "worker-1",
    "worker-2",
    "db",
    "db-replica",
    "log",
    "cache",
    "backup",
    "certbot",
}
STORES = {"db", "db-replica", "log", "cache"}


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        (SETUP, {"STAND_IN_DOCKER": "20.10.24"}, "Docker is 20.10.24; it must be 24.0 or newer"),
        (SETUP, {"COMPOSE": "/bin/false"}, "Docker Compose is missing"),
        (("--domain", "two words", *SETUP[2:]), {}, "not a host name"),
        (("--domain", "localhost", "--email", "nobody", *SETUP[4:]), {}, "not an email address"),
        (
            (*SETUP[:4], "--image", "localhost/nothing:1", "--backup-image", "localhost/nothing:1"),
            {},
            "cannot be fetched",
        ),
        (SETUP[2:], {}, "give --domain"),
    ],
)
def test_a_host_or_an_answer_that_does_not_do_is_refused(
    bare_host: Host, arguments: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    ended = bare_host.script("setup", *arguments, "--self-signed", **variables)

    assert ended.code == 1
    assert says in ended.said
    assert not (bare_host.folder / ".env").exists()
    assert not (bare_host.folder / "secrets").exists()
    assert bare_host.containers() == {}


@pytest.mark.parametrize("arguments", [("--domain",), ("--what",), ("--image", "x")])
def test_a_wrong_call_says_how_to_call_it(bare_host: Host, arguments: tuple[str, ...]) -> None:
    ended = bare_host.script("setup", *arguments)

    assert ended.code == 2
    assert "usage: deploy/compose/setup" in ended.said


def test_everything_runs_and_a_vote_is_counted(house: House, record_property: Callable[[str, object], None]) -> None:
    record_property("setup_s", round(house.setup_s, 1))
    assert set(house.host.containers()) == LONG_RUNNING

    cast = [house.cast(house.competition, token) for token in house.tokens]

    assert {answer.status for answer in cast} <= {200, 202}
    wait_until(lambda: house.total(house.competition) == len(house.tokens), what="everybody is counted")
    receipt = cast[1].json["receipt"]
    assert house.client.get(f"/api/receipts/{receipt}").json["status"] == "recorded"


def test_a_second_run_changes_nothing_and_says_so(house: House) -> None:
    before = {name: one["Id"] for name, one in house.host.containers().items()}
    files = {path: path.read_bytes() for path in (house.host.folder / "secrets").rglob("*") if path.is_file()}

    ended = house.host.script("setup", *SETUP, "--self-signed")

    assert ended.code == 0
    assert "set up already. Nothing was changed" in ended.said
    assert {name: one["Id"] for name, one in house.host.containers().items()} == before
    assert {path: path.read_bytes() for path in (house.host.folder / "secrets").rglob("*") if path.is_file()} == files


def test_another_name_is_refused(house: House) -> None:
    ended = house.host.script("setup", "--domain", "vote.example.org", *SETUP[2:])

    assert ended.code == 1
    assert "set up for localhost" in ended.said


def test_secrets_belong_to_the_account_that_reads_them_and_to_nobody_else(house: House) -> None:
    for path in (house.host.folder / "secrets").rglob("*"):
        wanted = {"app": 1000, "db": 70}.get(path.relative_to(house.host.folder / "secrets").parts[0], 0)
        assert (path.stat().st_uid, path.stat().st_mode & 0o077) == (wanted, 0), path
    assert (house.host.folder / ".env").stat().st_mode & 0o077 == 0
    assert "postgresql://" not in (house.host.folder / ".env").read_text("utf-8")


def test_no_secret_is_in_an_environment_or_a_command(house: House) -> None:
    secrets = {
        path.read_text("utf-8").strip()
        for path in (house.host.folder / "secrets").rglob("*")
        if path.is_file() and path.stat().st_size > 8
    } - {"*"}
    for name, one in house.host.containers().items():
        text = json.dumps([one["Config"]["Env"], one["Config"]["Cmd"], one["Args"]])
        assert not [secret for secret in secrets if secret in text], name


@pytest.mark.parametrize("service", sorted(LONG_RUNNING))
def test_each_service_is_sealed(house: House, service: str) -> None:
    one = house.host.container(service)
    host, added = one["HostConfig"], {"nginx": 4, "certbot": 1}.get(service, 0)

    assert host["ReadonlyRootfs"]
    assert "no-new-privileges" in json.dumps(host["SecurityOpt"])
    assert len(one["EffectiveCaps"] or []) == added
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0 or host["CpuQuota"] > 0
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert one["Config"]["StopTimeout"] == 20
    assert one["State"]["Health"]["Status"] == "healthy"
    if service in STORES:
        assert host["NetworkMode"] == "none"


def test_webs_and_workers_live_on_their_networks_alone(house: House) -> None:
    networks = {name: set(one["NetworkSettings"].get("Networks", ())) for name, one in house.host.containers().items()}

    assert networks["web-1"] == networks["web-2"] == {"vote_front", "vote_back"}
    assert networks["worker-1"] == networks["worker-2"] == {"vote_back", "vote_out"}
    assert networks["nginx"] == {"vote_edge", "vote_front"}
    assert networks["backup"] == {"vote_back"}


def test_the_replica_follows_over_the_socket(house: House) -> None:
    query = "SELECT state, client_addr IS NULL FROM pg_stat_replication WHERE application_name = 'vote_replica'"
    command = f'PGPASSWORD=$(cat /run/secrets/postgres-password) psql -U postgres -At -h /run/db -d vote -c "{query}"'
    wait_until(lambda: house.host.exec("db", "sh", "-c", command).strip() == "streaming|t", what="the replica streams")


def test_a_database_without_a_password_is_closed(house: House) -> None:
    """Whoever shares the socket must still log in."""
    command = "psql -w -U postgres -h /run/db -d vote -c 'SELECT 1' 2>&1 || echo refused"

    assert "refused" in house.host.exec("db", "sh", "-c", command)


def test_parts_use_their_own_role(house: House) -> None:
    query = "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename LIKE 'vote_%' ORDER BY 1"
    command = f'PGPASSWORD=$(cat /run/secrets/postgres-password) psql -U postgres -At -h /run/db -d vote -c "{query}"'

    roles = house.host.exec("db", "sh", "-c", command).split()

    assert set(roles) >= {"vote_web", "vote_worker", "vote_replica"}
    assert "vote_owner" not in roles
