"""What production refuses at start, a row per way to be careless; on a laptop all of it starts."""

import itertools
import secrets
from pathlib import Path

import pytest

from tests.unit.test_config import GOOD
from vote import config, production_rules, secret_strength
from vote.errors import ConfigError

DATABASE = "postgresql://user:hush@db.example/vote"
CHECKED = "sslmode=verify-full&sslrootcert=/run/ca.pem"
WIDE = ["0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.0/7", "52.0.0.0/8", "104.0.0.0/11", "2000::/3", "2600::/12"]
NARROW = ["10.0.0.0/8", "172.16.0.0/12", "fc00::/7", "104.16.0.0/13", "2606:4700::/32", "2600:9000::/28", "203.0.113.7"]

REFUSED: list[tuple[dict[str, str], str]] = [
    ({"VOTE_COOKIE_SECURE": "off"}, "VOTE_COOKIE_SECURE=off"),
    ({"PUBLIC_URL": "http://vote.example.org"}, "PUBLIC_URL must begin with https://"),
    ({"STATIC_URL": "http://cdn.example.org"}, "STATIC_URL must begin with https://"),
    ({"CORS_ORIGINS": "https://a.example,http://b.example"}, "CORS_ORIGINS with http://"),
    ({"EMAIL_CONFIRMATION": "on"}, "EMAIL_CONFIRMATION=on needs SMTP_URL"),
    ({"FLASK_SECRET_KEY": "qwertyuiopasdfghjklzxcvbnm123456"}, "FLASK_SECRET_KEY can be guessed"),
    ({"JWT_SECRET_PREVIOUS": "letmein-letmein-letmein-2026-2027"}, "JWT_SECRET_PREVIOUS can be guessed"),
    ({"DATABASE_URL": DATABASE}, "DATABASE_URL goes over the network"),
    ({"DATABASE_URL_WEB": "service=vote"}, "DATABASE_URL_WEB takes its address from a service file"),
    ({"DATABASE_URL": f"postgresql:///vote?service=vote&{CHECKED}"}, "DATABASE_URL takes its address"),
    ({"DATABASE_URL": "postgresql:///vote", "PGSERVICE": "vote"}, "DATABASE_URL takes its address"),
    ({"DATABASE_URL": "postgresql:///vote", "PGHOST": "db.example"}, "DATABASE_URL goes over the network"),
    ({"DATABASE_URL": "postgresql://localhost/vote", "PGHOSTADDR": "10.0.0.5"}, "DATABASE_URL goes over the network"),
    ({"DATABASE_URL": f"{DATABASE}?sslmode=require", "PGSSLMODE": "verify-full"}, "DATABASE_URL goes over"),
    ({"DATABASE_URL": DATABASE, "PGSSLMODE": "verify-ca"}, "DATABASE_URL goes over the network"),
    ({"REDIS_URL": "redis://log.example/0"}, "REDIS_URL goes over the network"),
    ({"VAULT_ADDR": "http://vault.example:8200"}, "VAULT_ADDR must begin with https://"),
    ({"AWS_ENDPOINT_URL": "http://10.0.0.9"}, "AWS_ENDPOINT_URL must begin with https://"),
    *[({"TRUSTED_PROXIES": f"10.0.0.0/8,{wide}"}, "TRUSTED_PROXIES holds a network so wide") for wide in WIDE],
    ({"ADMIN_NETWORKS": "0.0.0.0/0"}, "ADMIN_NETWORKS holds a network so wide"),
    ({"METRICS_NETWORKS": "::/0"}, "METRICS_NETWORKS holds a network so wide"),
    ({"LOG_QUERIES": "on"}, "LOG_QUERIES=on"),
    ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG is set"),
    ({"FLASK_ENV": "development"}, "FLASK_ENV is set"),
    ({"PYTHONASYNCIODEBUG": "1"}, "PYTHONASYNCIODEBUG is set"),
]  # fmt: skip


def production(**values: str) -> config.Settings:
    """The settings with these values in production."""
    return config.load({**GOOD, "VOTE_ENV": "production", **values})


@pytest.mark.parametrize(("values", "reason"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_production_refuses_it_with_the_reason_and_a_laptop_starts(values: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        production(**values)

    assert reason in refusal.value.detail
    assert not {
        text for text in ("hush", values.get("FLASK_SECRET_KEY"), values.get("JWT_SECRET_PREVIOUS")) if text
    } & {word for line in refusal.value.detail.splitlines() for word in line.split()}
    assert config.load({**GOOD, **values})


def test_every_rule_has_a_row_here() -> None:
    told = {name for values, _ in REFUSED for name in values}

    for rule in production_rules.RULES:
        assert told & set(rule.settings) or rule.settings == production_rules.SECRET_FILES, rule.settings


def test_all_reasons_are_said_at_once() -> None:
    careless = {"PUBLIC_URL": "http://a.example", "TRUSTED_PROXIES": "0.0.0.0/0", "DATABASE_URL": "service=x"}

    with pytest.raises(ConfigError) as refusal:
        production(**careless)

    assert len(refusal.value.detail.splitlines()) == 1 + len(careless)


@pytest.mark.parametrize(
    "values",
    [
        {"PUBLIC_URL": "https://vote.example.org"},
        {"DATABASE_URL": f"{DATABASE}?{CHECKED}"},
        {"DATABASE_URL": DATABASE, "PGSSLMODE": "verify-full"},
        {"DATABASE_URL": "postgresql:///vote", "PGHOST": "/run/postgresql"},
        {"TRUSTED_PROXIES": ",".join(NARROW), "ADMIN_NETWORKS": "10.8.0.0/16", "METRICS_NETWORKS": "10.0.0.0/8"},
        {"FLASK_DEBUG": "0", "FLASK_ENV": "production"},
        {"VAULT_ADDR": "http://127.0.0.1:8200", "AZURE_KEYVAULT_URL": "https://vote.vault.azure.net"},
    ],
)
def test_production_starts_with_what_is_right(values: dict[str, str]) -> None:
    assert production(**values)


@pytest.mark.parametrize(("mode", "is_refused"), [(0o400, False), (0o444, False), (0o602, True), (0o666, True)])
def test_nobody_else_may_choose_a_secret(tmp_path: Path, mode: int, is_refused: bool) -> None:
    file = tmp_path / "jwt"
    file.write_text(GOOD["JWT_SECRET"])
    file.chmod(mode)
    given = {name: value for name, value in GOOD.items() if name != "JWT_SECRET"} | {"JWT_SECRET_FILE": str(file)}

    assert config.load(given).jwt_secret == GOOD["JWT_SECRET"]
    if is_refused:
        with pytest.raises(ConfigError, match="JWT_SECRET_FILE names a file that everyone may write"):
            config.load({**given, "VOTE_ENV": "production"})
    else:
        assert config.load({**given, "VOTE_ENV": "production"})


# --- how strong a secret is ------------------------------------------------------------------------------------------------

WEAK = [
    "qwertyuiopasdfghjklzxcvbnm123456",
    "QWERTZUIOPASDFGHJKLYXCVBNM1234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,",
    "zaq12wsxcde34rfvbgt56yhnmju78ik,",
    "0987654321poiuytrewqlkjhgfdsamnb",
    "asdfjklasdfjklzxcvbnmasdfghj1234",
    "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
    "P@ssw0rd!P@ssw0rd1P@ssw0rd2P@ssw0rd3",
    "Tr0ub4dor&3Tr0ub4dor&4Tr0ub4dor&5",
    "AdminAdmin123!AdminAdmin123!Admin",
    "correct horse battery staple correct horse",
    "thisismyverylongkeyforthevoteapp",
    "ilovemycatandmycatlovesmetoo2026",
    "dasistdasgeheimnisderwahlanwendung",
    "to be or not to be, or to be or not",
    "abcdefghijklmnopqrstuvwxyz012345",
]


@pytest.mark.parametrize("secret", [*WEAK, *(secret[::-1] for secret in WEAK[:7])])
def test_what_people_type_is_no_secret_however_long(secret: str) -> None:
    assert len(secret) >= config.SECRET_MIN_BYTES
    assert secret_strength.weakness(secret) is not None


def test_ten_thousand_random_secrets_pass() -> None:
    for made in itertools.chain.from_iterable(
        (secrets.token_urlsafe(32), secrets.token_hex(32), secrets.token_urlsafe(48)) for _ in range(3_400)
    ):
        # A placeholder's word by chance: one in a million.
        assert secret_strength.bits(made) >= secret_strength.MIN_BITS, made
        assert secret_strength.weakness(made) in (None, "looks like a placeholder")
