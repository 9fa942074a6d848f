"""The app's settings, and that importing it does no work."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from vote import app as module
from vote.config import Settings


def test_the_settings_in_plain_sight(app: Flask, settings: Settings) -> None:
    assert app.config["SECRET_KEY"] == settings.flask_secret_key
    assert app.config["SECRET_KEY_FALLBACKS"] == []
    assert app.config["SESSION_COOKIE_SECURE"] is True
    assert app.config["SESSION_COOKIE_HTTPONLY"] is True
    assert app.config["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert app.config["PREFERRED_URL_SCHEME"] == "https"
    assert app.config["MAX_CONTENT_LENGTH"] == 64 * 1024
    assert app.config["PERMANENT_SESSION_LIFETIME"] == timedelta(hours=24)
    assert app.debug is False


def test_a_server_finds_the_app_of_the_environment(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {**environment, "VOTE_COOKIE_SECURE": "off"}.items():
        monkeypatch.setenv(name, value)

    made = module.app
    try:
        assert made is module.app
        assert made.config["SESSION_COOKIE_SECURE"] is False
        assert made.test_client().get("/api/competitions").get_json() == {"competitions": [], "next": None}
    finally:
        made.extensions["vote"].close()
        del module.app


def test_there_is_nothing_else_to_find() -> None:
    with pytest.raises(AttributeError):
        _ = module.application
