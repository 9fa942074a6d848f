"""vote-app as it is attacked: started by `vote up`, with servers and data of its own that are thrown away."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.stack import VOTE, free_port, wait_until

START_S = 120
# The limits would stop the attackers long before a hole does; tests/integration/services/test_rate_limits.py attacks those.
LIMITS = (
    "LIMIT_VOTES_BURST", "LIMIT_VOTES_PER_S", "LIMIT_API_PER_S", "LIMIT_LOGIN_FAILURES_PER_MINUTE",
    "LIMIT_REGISTRATIONS_PER_HOUR", "LIMIT_LOGINS_PER_MINUTE", "LIMIT_MAILS_PER_HOUR",
)  # fmt: skip
WITHOUT_LIMITS = dict.fromkeys(LIMITS, "1000000")


class Attacked(NamedTuple):
    """Where it is, and a token of its admin."""

    url: str
    token: str
    password: str
    folder: Path

    @property
    def log(self) -> str:
        """All that its processes have written."""
        return (self.folder / "output").read_text("utf-8", "replace")

    def is_logged_in(self, cookie: str | None = None) -> bool:
        """Whether the token, or this session, still opens anything."""
        headers = {"Cookie": cookie} if cookie else {"Authorization": f"Bearer {self.token}"}
        asked = urllib.request.Request(f"{self.url}/api/me", headers=headers)
        try:
            return bool(urllib.request.urlopen(asked, timeout=30).status == 200)
        except urllib.error.HTTPError:
            return False

    def session(self) -> str:
        """The Cookie header of an admin's browser that has logged in by the form."""
        with urllib.request.urlopen(f"{self.url}/login", timeout=30) as page:
            cookie = str(page.headers["Set-Cookie"]).partition(";")[0]
            field = re.search(r'name="csrf_token" value="([^"]+)"', page.read().decode("utf-8"))
        assert field is not None
        form = urlencode({"username": "admin", "password": self.password, "csrf_token": field[1]}).encode("ascii")
        asked = urllib.request.Request(f"{self.url}/login", form, {"Cookie": cookie, "Origin": self.url})
        try:
            urllib.request.build_opener(_Stay).open(asked, timeout=30)
        except urllib.error.HTTPError as answer:  # 303, with the session
            cookies = [one.partition(";")[0] for one in answer.headers.get_all("Set-Cookie", [])]
            return next(one for one in cookies if "session=" in one)
        raise AssertionError("the form did not log in")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        """Not followed: what is wanted is the cookie of the answer that sends on."""


@contextlib.contextmanager
def attacked_app() -> Iterator[Attacked]:
    """The running app, ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="attacked-") as name:
        folder, port = Path(name), free_port()
        environ = {
            "PATH": os.environ["PATH"],
            "VOTE_HOME": str(folder / "home"),
            "PORT": str(port),
            "WEB_CONCURRENCY": "2",
            **WITHOUT_LIMITS,
        }
        with (folder / "output").open("wb") as output:
            running = subprocess.Popen(
                [*VOTE, "up", "--with-parent"], cwd=folder, env=environ, stdout=output, stderr=output
            )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _is_ready(url), what="vote up", within=START_S)
            password = (folder / "home" / "admin-password").read_text().strip()
            yield Attacked(url, _log_in(url, password), password, folder)
        finally:
            running.terminate()
            running.wait(timeout=60)


def _is_ready(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"{url}/ready", timeout=5).status == 200)
    return False


def _log_in(url: str, password: str) -> str:
    body = json.dumps({"username": "admin", "password": password}).encode("utf-8")
    asked = urllib.request.Request(f"{url}/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(json.load(answer)["token"])
