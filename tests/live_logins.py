"""Many people who are logged in, by session and by token, while keys change: who is logged out at which process?"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.browsing import Browser
from tests.stack import Stack
from vote.auth import create_jwt_token
from vote.config import Settings
from vote.db.users import Account
from vote.identity import sessions

AT_ONCE = 8  # requests at a time


class LiveLogins:
    """A session and a token for each account, signed with the keys of `settings` as a web process would have."""

    def __init__(self, settings: Settings, accounts: Sequence[Account]) -> None:
        self._headers: list[tuple[str, dict[str, str]]] = []
        for account in accounts:
            session: sessions.Session = {}
            sessions.begin(session, account.id, now=time.time())
            cookie = sessions.SessionCookie(settings).write(session).partition(";")[0]
            self._headers.append(("session", {"Cookie": cookie, "Accept": "application/json"}))
            token = create_jwt_token(account.id, secret=settings.jwt_secret)
            self._headers.append(("token", {"Authorization": f"Bearer {token}"}))

    def __len__(self) -> int:
        return len(self._headers)

    def logged_out(self, stacks: Sequence[Stack]) -> list[str]:
        """Who is not let in, and where."""

        def ask(one: tuple[Stack, tuple[str, dict[str, str]]]) -> str:
            stack, (kind, headers) = one
            status = stack.get("/api/me", headers=headers).status
            return "" if status == 200 else f"{kind} at {stack.port}: {status}"

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [problem for problem in pool.map(ask, [(s, h) for s in stacks for h in self._headers]) if problem]


def refused_fresh_logins(stacks: Sequence[Stack], username: str, password: str) -> list[str]:
    """Log in at each process, and use token and session at every other one: does each know the keys of all?"""
    found = []
    for signer in stacks:
        token = signer.post("/login", {"username": username, "password": password}).json["token"]
        browser = Browser(signer)
        browser.log_in(username, password)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        for other in stacks:
            by_session = other.get("/api/me", headers={"Cookie": cookie, "Accept": "application/json"})
            statuses = {"token": other.get("/api/me", token=token).status, "session": by_session.status}
            found += [f"{kind} of {signer.port} at {other.port}: {s}" for kind, s in statuses.items() if s != 200]
    return found


def roll(stacks: Sequence[Stack], check: Callable[[], list[str]]) -> list[str]:
    """Restart one process after the other, as a rolling update does; what `check` finds before, between and after."""
    found = check()
    for stack in stacks:
        stack.restart_web({})
        found += check()
    return found
