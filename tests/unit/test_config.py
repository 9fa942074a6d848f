"""Which URLs production refuses, because what travels there could be read or changed on its way."""

import pytest

from vote import config
from vote.config import Settings
from vote.errors import ConfigError

NEEDED = {"FLASK_SECRET_KEY": "f" * 32, "JWT_SECRET": "j" * 32}
POSTGRES = [
    "DATABASE_URL",
    "DATABASE_URL_WEB",
    "DATABASE_URL_WORKER",
    "DATABASE_URL_REPORTS",
    "DATABASE_URL_BACKUP",
    "DATABASE_REPLICA_URL",
]
CHECKED = "sslmode=verify-full&sslrootcert=/run/ca.pem"


def load(name: str, url: str, *, environment: str = "production") -> Settings:
    """The settings with this one URL."""
    return config.load({**NEEDED, "VOTE_ENV": environment, name: url})


def test_the_table_knows_every_url_of_a_store() -> None:
    urls = {name.upper() for name in Settings.model_fields if "url" in name} - {"PUBLIC_URL"}

    assert urls == {*config.POSTGRES_URLS, *config.REDIS_URLS}


@pytest.mark.parametrize("name", POSTGRES)
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:secret@db.example/vote?{CHECKED}",
        f"postgresql://user:secret@a.example:5432,b.example:5432/vote?{CHECKED}&target_session_attrs=read-write",
        f"postgresql://user:secret@/vote?host=db.example&{CHECKED}",
        "postgresql://user:secret@/vote?host=/run/postgresql",
        "postgresql://user:secret@%2Frun%2Fpostgresql/vote",
        "postgresql:///vote",
        "postgresql://user:secret@localhost/vote",
        "postgresql://user:secret@127.0.0.1:6432/vote",
        "postgresql://user:secret@127.8.9.1/vote",
        "postgresql://user:secret@[::1]/vote",
    ],
)
def test_production_takes_what_is_guarded_or_stays_on_the_machine(name: str, url: str) -> None:
    assert load(name, url)


@pytest.mark.parametrize("name", POSTGRES)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@db.example/vote",
        "postgresql://user:secret@10.0.0.5/vote",
        "postgresql://user:secret@db.example/vote?sslmode=require",
        "postgresql://user:secret@db.example/vote?sslmode=verify-ca&sslrootcert=/run/ca.pem",
        "postgresql://user:secret@/vote?host=db.example",
        "postgresql://user:secret@127.0.0.1,db.example/vote",
        "postgresql://user:secret@localhost/vote?hostaddr=10.0.0.5",
        "postgresql://user:secret@127.0.0.1.example/vote",
        "nonsense with secret in it",
    ],
)
def test_production_refuses_a_database_that_anybody_on_the_way_could_be(name: str, url: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(name, url)

    assert f"{name} " in refusal.value.detail
    assert "secret" not in refusal.value.detail
    assert load(name, url, environment="development")


@pytest.mark.parametrize("name", ["REDIS_URL", "BALLOT_LOG_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "rediss://user:secret@log.example:6379/0?ssl_ca_certs=/run/ca.pem",
        "rediss://log.example/0?ssl_check_hostname=true&ssl_cert_reqs=required",
        "rediss+sentinel://a.example:26379,b.example:26379/vote?ssl_ca_certs=/run/ca.pem",
        "unix:///run/redis/redis.sock?db=0",
        "redis://127.0.0.1:6379/0",
        "redis://user:secret@localhost/0",
        "redis://[::1]:6379/0",
        "redis:///0",
        "redis+sentinel://127.0.0.1:26379,127.0.0.1:26380/vote",
    ],
)
def test_production_takes_a_log_that_is_guarded_or_stays_on_the_machine(name: str, url: str) -> None:
    assert load(name, url)


@pytest.mark.parametrize("name", ["REDIS_URL", "BALLOT_LOG_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "redis://user:secret@log.example:6379/0",
        "redis://10.0.0.5:6379/0",
        "redis://localhost@log.example/0",
        "redis+sentinel://127.0.0.1:26379,log.example:26379/vote",
        "rediss://user:secret@log.example/0?ssl_cert_reqs=none",
        "rediss://user:secret@log.example/0?ssl_check_hostname=false",
        "rediss+sentinel://log.example:26379/vote?ssl_check_hostname=0",
    ],
)
def test_production_refuses_a_log_that_anybody_on_the_way_could_be(name: str, url: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(name, url)

    assert f"{name} " in refusal.value.detail
    assert "secret" not in refusal.value.detail
    assert load(name, url, environment="development")


def test_a_replica_is_read_with_the_role_of_reports() -> None:
    given = load("DATABASE_REPLICA_URL", "postgresql:///vote").replica()

    assert given == ("postgresql:///vote", "vote_reports")
    assert config.load(NEEDED).replica() is None
