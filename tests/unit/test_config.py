"""What is refused at start: secrets that are missing, short, equal or no secrets, and in production URLs of stores over
which what travels could be read or changed on its way.
"""

import itertools
import secrets

import pytest

from vote import config, production_rules
from vote.config import DatabaseTarget, Settings
from vote.errors import ConfigError

NEEDED = {"FLASK_SECRET_KEY": "n5Jx0bQm8ZrT2wLk7VcY4hDs9GfP1aEu", "JWT_SECRET": "q3Wv6KzX9tRb1MnC5yHj8LpG0dSf7UeA"}
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
    others = {"PUBLIC_URL", "STATIC_URL", "SMTP_URL", "AZURE_KEYVAULT_URL"}
    urls = {name.upper() for name in Settings.model_fields if "url" in name} - others

    assert urls == {*production_rules.POSTGRES_URLS, *production_rules.REDIS_URLS}


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


def test_settings_are_never_shown() -> None:
    given = load("DATABASE_URL", f"postgresql://user:s3cret@db.example/vote?{CHECKED}")

    assert repr(given) == str(given).join(("Settings(", ")")) == "Settings()"


def test_a_replica_is_read_with_the_role_of_reports() -> None:
    given = load("DATABASE_REPLICA_URL", "postgresql:///vote").replica()

    assert given == DatabaseTarget("postgresql:///vote", "vote_reports")
    assert config.load(NEEDED).replica() is None


def test_behind_a_pooler_the_web_has_logins_of_its_own() -> None:
    behind = config.load({**NEEDED, "DATABASE_POOLER": "transaction", "DATABASE_URL_WEB": "postgresql:///web"})

    assert behind.database("web") == DatabaseTarget("postgresql:///web", None, pooled=True)
    with pytest.raises(ConfigError, match="needs DATABASE_URL_REPORTS, with a login of its own"):
        behind.database("reports")
    assert (
        not config.load({**NEEDED, "DATABASE_POOLER": "transaction", "DATABASE_URL_WORKER": "x"})
        .database("worker")
        .pooled
    )
    assert not config.load({**NEEDED, "DATABASE_URL_WEB": "postgresql:///web"}).database("web").pooled


# --- secrets -------------------------------------------------------------------------------------------------------------
PAIRED = ["FLASK_SECRET_KEY", "FLASK_SECRET_KEY_PREVIOUS", "JWT_SECRET", "JWT_SECRET_PREVIOUS"]
GOOD = {
    "FLASK_SECRET_KEY": "n5Jx0bQm8ZrT2wLk7VcY4hDs9GfP1aEu",
    "FLASK_SECRET_KEY_PREVIOUS": "XkV2_p9sT-uN4qRz7LhB0cWmJ6yEgD3f",
    "JWT_SECRET": "q3Wv6KzX9tRb1MnC5yHj8LpG0dSf7UeA",
    "JWT_SECRET_PREVIOUS": "e4d1c9b07fa2865310bd4e9a7c6f2d81",
}
NO_SECRETS = {
    "a" * 32: "repeats itself",
    "ab" * 20: "repeats itself",
    "0123456789abcdef" * 2: "repeats itself",
    "0123456789abcdefghijklmnopqrstuvwxyz": "row of neighbouring",
    "zyxwvutsrqponmlkjihgfedcba9876543210": "row of neighbouring",
    "change-me-change-me-change-me-chang": "placeholder",
    "ChangeThisKeyInProduction-1234567890": "placeholder",
    "your_super_safe_key_for_the_vote_app": "placeholder",
    "my-very-long-secret-key-for-vote-app": "placeholder",
    "<32 random bytes of your own go here>": "placeholder",
    "${FLASK_KEY_FROM_THE_VAULT_OF_OPS_42}": "placeholder",
    "{{ vault_flask_key_9f8e7d6c5b4a3210 }}": "placeholder",
}


def test_production_starts_with_good_secrets() -> None:
    assert config.load({**GOOD, "VOTE_ENV": "production"})
    for make in (secrets.token_urlsafe, secrets.token_hex):
        for _ in range(500):
            made = {name: make(32) for name in PAIRED}
            assert config.load({**made, "VOTE_ENV": "production"})


@pytest.mark.parametrize("name", PAIRED)
@pytest.mark.parametrize("secret", NO_SECRETS)
def test_production_refuses_what_is_no_secret(name: str, secret: str) -> None:
    with pytest.raises(ConfigError, match=NO_SECRETS[secret]) as refusal:
        config.load({**GOOD, name: secret, "VOTE_ENV": "production"})

    assert name in str(refusal.value)
    assert secret not in str(refusal.value)


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(PAIRED, 2)))
def test_equal_secrets_are_refused(environment: str, one: str, other: str) -> None:
    with pytest.raises(ConfigError, match=f"{one} and {other} must differ"):
        config.load({**GOOD, other: GOOD[one], "VOTE_ENV": environment})


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize("name", PAIRED)
def test_a_short_secret_is_refused(environment: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: .*at least 32"):
        config.load({**GOOD, name: GOOD[name][:31], "VOTE_ENV": environment})


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize("name", ["FLASK_SECRET_KEY", "JWT_SECRET"])
@pytest.mark.parametrize("given", [None, ""])
def test_a_missing_secret_is_refused(environment: str, name: str, given: str | None) -> None:
    values = {**GOOD, "VOTE_ENV": environment} | {name: given or ""}

    with pytest.raises(ConfigError, match=name):
        config.load(values)


# --- origins: the rows of Go's AddTrustedOrigin, and what else people write --------------------------------------------
@pytest.mark.parametrize(
    "given",
    ["https://example.com", "https://example.com:8080", "http://example.com", "http://localhost", "https://[::1]:1"],
)
def test_an_origin_as_browsers_write_it_is_taken(given: str) -> None:
    assert config.load({**GOOD, "CORS_ORIGINS": f"{given}, https://b.example"}).cors_origins == (
        given,
        "https://b.example",
    )


@pytest.mark.parametrize(
    "given",
    [
        "example.com", "https://", "https://example.com/", "https://example.com/path", "https://example.com?query=value",
        "https://example.com#fragment", "https://ex ample.com", "null", "*", "https://*.example.com", "https://EXAMPLE.com",
        "https://user@example.com", "https://example.com:port", "ftp://example.com", "https://bücher.example", "https://-",
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="CORS_ORIGINS takes origins"):
        config.load({**GOOD, "CORS_ORIGINS": given})


def test_no_list_is_no_origin_and_production_wants_https() -> None:
    assert config.load(GOOD).cors_origins == config.load({**GOOD, "CORS_ORIGINS": ""}).cors_origins == ()
    assert config.load({**GOOD, "CORS_ORIGINS": "https://a.example", "VOTE_ENV": "production"})
    with pytest.raises(ConfigError, match="refused in production"):
        config.load({**GOOD, "CORS_ORIGINS": "http://a.example", "VOTE_ENV": "production"})


# --- mail ---------------------------------------------------------------------------------------------------------------

MAIL = {
    "SMTP_URL": "smtps://mail.example.org",
    "MAIL_FROM": "vote@example.org",
    "PUBLIC_URL": "https://vote.example.org",
}


@pytest.mark.parametrize("missing", ["MAIL_FROM", "PUBLIC_URL"])
def test_mail_needs_a_sender_and_where_its_links_lead(missing: str) -> None:
    assert config.load({**NEEDED, **MAIL}).can_mail
    with pytest.raises(ConfigError, match=missing):
        config.load({**NEEDED, **MAIL, missing: ""})


@pytest.mark.parametrize("url", ["http://mail.example.org", "mail.example.org", "smtp://", "smtp:mail"])
def test_a_mail_server_that_is_none_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError, match="SMTP_URL must be") as refused:
        config.load({**NEEDED, **MAIL, "SMTP_URL": url + "?password=hush"})
    assert "hush" not in str(refused.value)


def test_confirmation_needs_mail_in_production() -> None:
    with pytest.raises(ConfigError, match="EMAIL_CONFIRMATION=on needs SMTP_URL"):
        config.load({**GOOD, "VOTE_ENV": "production", "EMAIL_CONFIRMATION": "on"})
    assert config.load({**NEEDED, "EMAIL_CONFIRMATION": "on"}).mail_is_read_here
    assert not config.load({**GOOD, "VOTE_ENV": "production"}).can_mail


@pytest.mark.parametrize("old", config.RETIRED)
def test_a_setting_under_its_old_name_stops_the_start_and_names_the_new_one(old: str) -> None:
    with pytest.raises(ConfigError, match=f"{old} is now called {config.RETIRED[old]}"):
        config.load({**NEEDED, old: "1"})
