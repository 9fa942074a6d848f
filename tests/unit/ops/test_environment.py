from pathlib import Path

import pytest

from vote import config
from vote.actions.checkpoints import Signer
from vote.ops import environment, first_start
from vote.ops.embedded.home import prepare

URLS = {
    "DATABASE_URL": "owner",
    "DATABASE_URL_WEB": "web",
    "DATABASE_URL_WORKER": "worker",
    "DATABASE_URL_REPORTS": "reports",
    "DATABASE_URL_BACKUP": "backup",
    "REDIS_URL": "redis",
}


def test_a_part_sees_the_urls_of_its_own_roles_alone() -> None:
    web = environment.of_part(URLS, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"])
    worker = environment.of_part(URLS, ["DATABASE_URL_WORKER"])

    assert web == {"DATABASE_URL_WEB": "web", "DATABASE_URL_REPORTS": "reports", "REDIS_URL": "redis"}
    assert worker == {"DATABASE_URL_WORKER": "worker", "REDIS_URL": "redis"}


def test_a_part_without_a_url_of_its_own_is_given_the_owners() -> None:
    web = environment.of_part(
        {"DATABASE_URL": "given", "DATABASE_URL_WEB": "web"}, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"]
    )

    assert web == {"DATABASE_URL": "given", "DATABASE_URL_WEB": "web"}


def test_a_part_is_given_the_files_of_its_own_urls_alone() -> None:
    files = {f"{name}_FILE": f"/run/secrets/{name}" for name in URLS}

    web = environment.of_part(files, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"])
    without_its_own = environment.of_part({"DATABASE_URL_FILE": "/run/secrets/owner"}, ["DATABASE_URL_WORKER"])

    assert web.keys() == {"DATABASE_URL_WEB_FILE", "DATABASE_URL_REPORTS_FILE", "REDIS_URL_FILE"}
    assert without_its_own == {"DATABASE_URL_FILE": "/run/secrets/owner"}


def test_nothing_is_made_beside_a_secret_manager(tmp_path: Path) -> None:
    """A key that was made here would stand in the way of the manager's, or take its place."""
    home = prepare(tmp_path / "home")

    assert first_start.missing_secrets(home, {"SECRETS_FROM": "vault"}) == {}
    assert environment.missing_logins({"SECRETS_FROM": "vault"}) == []
    assert environment.missing_logins({"JWT_SECRET_FILE": "/run/secrets/jwt"}) == ["FLASK_SECRET_KEY"]


def test_previous_keys_of_the_home_are_accepted_until_they_are_removed(tmp_path: Path) -> None:
    """`vote secrets rotate --folder VOTE_HOME/secrets` leaves them there."""
    home = prepare(tmp_path / "home")
    (home.secrets / "JWT_SECRET_PREVIOUS").write_text("an-old-key-that-is-still-accepted\n")
    (home.secrets / "FLASK_SECRET_KEY_PREVIOUS").touch()

    made = first_start.missing_secrets(home, {})

    assert made["JWT_SECRET_PREVIOUS"] == "an-old-key-that-is-still-accepted"
    assert "FLASK_SECRET_KEY_PREVIOUS" not in made
    assert "JWT_SECRET_PREVIOUS" not in first_start.missing_secrets(
        home, {"JWT_SECRET_PREVIOUS_FILE": "/run/secrets/x"}
    )


def test_the_key_of_the_checkpoints_is_for_the_worker_alone(tmp_path: Path) -> None:
    environ = {**URLS, "CHECKPOINT_KEY": "secret", "CHECKPOINT_PUBLIC_KEY": "public"}

    web = environment.of_part(environ, ["DATABASE_URL_WEB"])
    worker = environment.of_part(environ, ["DATABASE_URL_WORKER"], signs=True)
    environment.note(tmp_path, environ)

    assert web["CHECKPOINT_KEY"] == "", "emptied, so that it does not come back from `.env` either"
    assert worker["CHECKPOINT_KEY"] == "secret"
    assert web["CHECKPOINT_PUBLIC_KEY"] == worker["CHECKPOINT_PUBLIC_KEY"] == "public"
    assert "secret" not in (tmp_path / "environment").read_text()


def test_the_keys_of_logins_are_for_the_web_alone() -> None:
    logins = {"FLASK_SECRET_KEY": "flask", "JWT_SECRET": "jwt", "JWT_SECRET_PREVIOUS": "old"}

    web = environment.of_part(URLS | logins, ["DATABASE_URL_WEB", "DATABASE_URL_REPORTS"])
    assert {name: web[name] for name in logins} == logins

    for databases in (["DATABASE_URL_WORKER"], ["DATABASE_URL_BACKUP"]):
        given = environment.of_part(URLS | logins, databases)
        assert not set(logins.values()) & set(given.values())
        settings = config.load({**given, "VOTE_ENV": "development"})
        assert settings.jwt_secret_previous is None, "emptied, so that it does not come back from `.env` either"
    from_files = environment.of_part(URLS | {"JWT_SECRET_FILE": "/run/secrets/jwt"}, ["DATABASE_URL_WORKER"])
    assert len(from_files["JWT_SECRET"]) >= config.SECRET_MIN_BYTES


def test_the_login_of_the_mail_server_is_for_who_sends() -> None:
    environ = {**URLS, "SMTP_URL": "smtps://vote:hush@mail.example:465?ca=/run/ca.pem"}

    worker = environment.of_part(environ, ["DATABASE_URL_WORKER"])
    web = environment.of_part(environ, ["DATABASE_URL_WEB"])

    assert worker["SMTP_URL"] == environ["SMTP_URL"]
    assert web["SMTP_URL"] == "smtps://mail.example:465?ca=/run/ca.pem"


def test_a_new_home_has_a_key_to_sign_with_and_says_the_public_one(tmp_path: Path) -> None:
    home = prepare(tmp_path / "home")

    made = first_start.missing_secrets(home, {})
    settings = config.load(made)

    assert (home.secrets / "CHECKPOINT_KEY").stat().st_mode & 0o777 == 0o600
    assert made == first_start.missing_secrets(home, {}), "kept from its first use on"
    public = first_start.public_key(settings)
    assert public == {"CHECKPOINT_PUBLIC_KEY": Signer(made["CHECKPOINT_KEY"]).public}
    assert first_start.public_key(config.load(made | {"CHECKPOINT_PUBLIC_KEY": "given"})) == {}
    assert "CHECKPOINT_KEY" not in first_start.missing_secrets(home, {"CHECKPOINT_KEY_FILE": "/run/secrets/key"})


def test_commands_find_the_running_installation_and_the_environment_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("JWT_SECRET", "")
    (tmp_path / "home").mkdir()
    environment.note(tmp_path / "home", {"DATABASE_URL": "made", "REDIS_URL": "made", "JWT_SECRET": "ma$de"})

    found = environment.read_with_notes()

    assert (found["DATABASE_URL"], found["REDIS_URL"], found["JWT_SECRET"]) == ("made", "redis://elsewhere", "ma$de")
    assert (tmp_path / "home" / "environment").stat().st_mode & 0o777 == 0o600
