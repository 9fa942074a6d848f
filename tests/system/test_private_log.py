"""What people type is planted everywhere and searched for in every line that any process has written."""

import base64
import json
import re
from collections.abc import Callable

from tests.browsing import Browser, csrf_token
from tests.servers import Pair
from tests.stack import Stack, wait_until
from vote.domain.competition import Competition

NAME = "planted-person"
EMAIL = "planted.address@example.com"
PASSWORD, NEW_PASSWORD, WRONG = "planted-first-password", "planted-second-password", "planted-wrong-password"
HIDDEN = "planted-in-the-query"


def test_no_log_line_holds_what_people_type(
    stack: Stack, servers: Pair, make_competition: Callable[..., Competition]
) -> None:
    one, other = make_competition(allow_change=True), make_competition()
    secrets = [EMAIL, PASSWORD, NEW_PASSWORD, WRONG, HIDDEN, NAME]

    secrets += as_api_client(stack, one)
    secrets += as_browser(stack, other)
    wait_until(lambda: stack.results(other.id)["total"] == 1)
    secrets += as_stranger(stack, one)
    secrets += as_somebody_who_forgot(stack)
    stack.stop()

    everything = "\n".join(path.read_text("utf-8") for path in stack.logs) + servers.written
    assert '"part": "web"' in everything
    assert '"part": "worker"' in everything
    for secret in secrets:
        assert secret not in everything
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in everything
    for line in stack.lines("web") + stack.lines("worker"):
        assert not {"choice", "vote", "username", "email", "password", "token", "cookie"} & line.keys(), line


def as_api_client(stack: Stack, one: Competition) -> list[str]:
    """Register, log in, vote, change the vote, download, in vain register again. Returns what was secret."""
    account = {"username": NAME, "email": EMAIL, "password": PASSWORD, "confirm_password": PASSWORD}
    first = stack.post("/register", account)
    assert first.status == 201
    assert stack.post("/register", account).status == 409
    assert stack.post("/register", {**account, "username": "somebody-else"}).status == 409
    assert stack.post("/login", {"username": NAME, "password": WRONG}).status == 401
    token: str = stack.post("/login", {"username": NAME, "password": PASSWORD}).json["token"]
    receipt: str = stack.vote(one.id, "a", token).json["receipt"]
    assert stack.vote(one.id, "b", token).json["changed"]
    assert stack.vote(one.id, "c", token).status == 422
    assert stack.get("/api/me/export", token=token).status == 200
    return [token, first.json["token"], receipt]


def as_browser(stack: Stack, other: Competition) -> list[str]:
    """Log in by the form, vote, change the password, mistype one."""
    browser = Browser(stack)
    browser.log_in(NAME, PASSWORD)
    page = browser.get(f"/vote/{other.id}")
    voted = browser.post(f"/vote/{other.id}", {"csrf_token": csrf_token(page), "vote": "a"})
    assert voted.status == 303
    form = {"csrf_token": csrf_token(browser.get("/account"))}
    wrong = {**form, "current_password": WRONG, "new_password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD}
    assert browser.post("/account/password", wrong).status == 422
    assert browser.post("/account/password", {**wrong, "current_password": PASSWORD}).status in (200, 303)
    return [*browser.cookies.values(), form["csrf_token"]]


def as_somebody_who_forgot(stack: Stack) -> list[str]:
    """Ask for a mail, follow its link wrongly and rightly, have the address changed. Returns what was secret."""
    assert stack.post("/forgot", {"email": EMAIL}).status == 202
    assert stack.post("/forgot", {"email": HIDDEN}).status == 422

    def token() -> str | None:
        found = re.search(rb"/reset#([\w-]{43})", stack.get("/outbox").body)
        return found[1].decode() if found else None

    mailed = wait_until(token)
    form = {"new_password": PASSWORD, "confirm_password": PASSWORD}
    assert stack.post("/reset", {**form, "token": mailed[:-1]}).status == 422
    assert stack.post("/reset", {**form, "token": mailed}).status == 204
    assert stack.post("/confirm", {"token": mailed}).status == 422
    bearer = stack.post("/login", {"username": NAME, "password": PASSWORD}).json["token"]
    changed = {"email": f"other.{EMAIL}", "password": PASSWORD}
    assert stack.post("/account/email", changed, token=bearer).status == 204
    return [mailed, bearer]


def as_stranger(stack: Stack, one: Competition) -> list[str]:
    """Requests that fail in every way, with secrets where they do not belong."""
    stack.get(f"/results/{one.id}?token={HIDDEN}")
    stack.get(f"/nowhere?password={HIDDEN}")
    stack.get("/api/me", token=HIDDEN)
    stack.get("/api/me", headers={"Cookie": f"session={HIDDEN}", "User-Agent": HIDDEN, "Referer": HIDDEN})
    stack.post("/login", b'{"username": "' + NAME.encode() + b'", "password": "' + HIDDEN.encode())
    stack.post("/login", {"username": NAME + "\0", "password": HIDDEN * 1000})
    stack.vote(one.id, HIDDEN, HIDDEN)
    stack.post(f"/vote/{one.id}", HIDDEN.encode(), content_type="multipart/form-data; boundary=" + HIDDEN)
    return [json.dumps(HIDDEN)]
