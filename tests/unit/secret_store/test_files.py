"""Secrets in the environment and in files: each secret setting may have `_FILE`, and where a value came from is known."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.test_config import GOOD
from vote import config
from vote.config import Settings
from vote.errors import ConfigError
from vote.production_rules import POSTGRES_URLS, REDIS_URLS, SECRETS
from vote.secret_store import SecretOrigin

SOCKET = "postgresql:///vote?host=/run/db"


@pytest.mark.parametrize("name", [*POSTGRES_URLS, *REDIS_URLS])
def test_a_url_may_come_from_a_file(tmp_path: Path, name: str) -> None:
    url = SOCKET if name in POSTGRES_URLS else "unix:///run/log/redis.sock"
    file = tmp_path / name
    file.write_text(url + "\n")

    given = config.load({**GOOD, f"{name}_FILE": str(file), "VOTE_ENV": "production"})

    assert getattr(given, name.lower()) == url


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_has_its_field_and_its_file(tmp_path: Path, name: str) -> None:
    assert name.lower() in Settings.model_fields
    with pytest.raises(ConfigError, match=f"{name}_FILE cannot be read: No such file"):
        config.load({**GOOD, name: "", f"{name}_FILE": str(tmp_path / "none")})


def test_an_empty_file_counts_as_not_set(tmp_path: Path) -> None:
    """A file that is mounted before there is a rotation is empty."""
    (tmp_path / "empty").write_text("\n")

    given = config.load({**GOOD, "JWT_SECRET_PREVIOUS": "", "JWT_SECRET_PREVIOUS_FILE": str(tmp_path / "empty")})

    assert given.jwt_secret_previous is None
    with pytest.raises(ConfigError, match="JWT_SECRET: Field required"):
        config.load({**GOOD, "JWT_SECRET": "", "JWT_SECRET_FILE": str(tmp_path / "empty")})


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="JWT_SECRET_FILE cannot be read: it is not text"):
        config.load({**GOOD, "JWT_SECRET": "", "JWT_SECRET_FILE": str(tmp_path / "bytes")})


@pytest.mark.parametrize(("mode", "is_refused"), [(0o444, False), (0o602, True)])
def test_production_refuses_a_url_that_everybody_may_write(tmp_path: Path, mode: int, is_refused: bool) -> None:
    file = tmp_path / "url"
    file.write_text(SOCKET)
    file.chmod(mode)
    given = {**GOOD, "DATABASE_URL_FILE": str(file), "VOTE_ENV": "production"}

    if is_refused:
        with pytest.raises(ConfigError, match=r"DATABASE_URL_FILE names a file that .* may write"):
            config.load(given)
    else:
        assert config.load(given).database_url == SOCKET


def test_where_a_secret_came_from_is_known_and_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "jwt"
    file.write_text(GOOD["JWT_SECRET"])

    given = config.load({**GOOD, "JWT_SECRET": "", "JWT_SECRET_FILE": str(file)})

    changed_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    assert given.secret_origins["JWT_SECRET"] == SecretOrigin(f"file {file}", "", changed_at)
    assert given.secret_origins["FLASK_SECRET_KEY"] == SecretOrigin("environment")
    assert "REDIS_URL" not in given.secret_origins
    assert repr(given) == "Settings()"
