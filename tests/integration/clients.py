"""Clients of the Flask app under test: one without cookies, one that is a browser."""

import re
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from vote.config import Settings
from vote.db.users import Account
from vote.identity import sessions

PASSWORD = "Pass123!"
HTTPS = "https://localhost"  # cookies are Secure
CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


class ApiClient:
    """A client that is no browser: no cookies, no Origin; with a token when it has one."""

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.app = app
        self._client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        return self._client.open(
            path, method=method, base_url=HTTPS, headers={**self.headers, **(headers or {})}, **more
        )

    def get(self, path: str, **more: Any) -> TestResponse:
        return self("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self("POST", path, json=json, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> TestResponse:
        return self("PATCH", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self("DELETE", path, **more)


class Browser:
    """A client with cookies and fetch metadata that sends the token of the form it has loaded."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html,*/*"}

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url=HTTPS, headers=self.headers, **more)

    def send(self, path: str, data: dict[str, Any], headers: dict[str, str] | None = None) -> TestResponse:
        """Send a form as it is, with no token added."""
        return self.client.post(path, base_url=HTTPS, data=data, headers={**self.headers, **(headers or {})})

    def submit(self, page: str, path: str, **fields: Any) -> TestResponse:
        """Load a page and send one of its forms."""
        return self.send(path, {"csrf_token": self.token_of(page), **fields})

    def token_of(self, page: str) -> str:
        """The token in the first form of a page."""
        found = CSRF.search(self.get(page).text)
        assert found is not None, f"{page} has no form"
        return found[1]

    def log_in(self, account: Account, password: str = PASSWORD) -> None:
        answer = self.submit("/login", "/login", username=account.username, password=password)
        assert answer.status_code == 303

    def be(self, account: Account, settings: Settings) -> None:
        """Have the session that a login would begin, without waiting for a password to be hashed."""
        session: dict[str, Any] = {}
        sessions.begin(session, account.id, now=time.time())
        name, _, value = sessions.SessionCookie(settings).write(session).partition(";")[0].partition("=")
        self.client.set_cookie(name, value, secure=True)


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Return when the condition holds. Fails after `seconds`."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
