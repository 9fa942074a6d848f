"""Secrets are planted in every place of every route, in errors that quote them, and searched for in every line and metric.

`test_private_log.py` does what people do, under other names; here everything is done wrong, and PostgreSQL quotes it.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest

from tests import hostile_clients as strangers
from tests.stack import Stack, running, wait_until
from vote import config
from vote.app import create_app
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.domain.receipt import receipt_code
from vote.services.container import Services

MakeUser = Callable[..., Account]
MakeCompetition = Callable[..., Competition]
TokenOf = Callable[[Account], str]

PASSWORD, TOKEN, SESSION = "river-otter-47-lantern", "planted-token-1", "planted-session-1"
ACCESS_CODE, EMAIL, CHOICE = "PLNT-ACCS-CODE", "quoted.address@example.com", "planted-choice"
ADDRESS, NAME = "198.51.100.77", "planted-name"
FIELDS = {
    "username": NAME, "email": EMAIL, "password": PASSWORD, "confirm_password": PASSWORD, "current_password": PASSWORD,
    "new_password": PASSWORD, "token": TOKEN, "csrf_token": TOKEN, "vote": CHOICE, "reason": CHOICE, "name": NAME,
    "description": CHOICE, "option_a": CHOICE, "option_b": NAME, "role": CHOICE, "gap": CHOICE, "next": f"/{TOKEN}",
}  # fmt: skip
PLANTED = [PASSWORD, TOKEN, SESSION, ACCESS_CODE, EMAIL, CHOICE, ADDRESS, NAME]
QUOTING_TRIGGER = """
    CREATE FUNCTION quote_it() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'quoted: %', to_jsonb(NEW) USING DETAIL = to_jsonb(NEW)::text, HINT = to_jsonb(NEW)::text;
    END $$;
    CREATE TRIGGER quote_it BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION quote_it();
"""


@pytest.fixture
def open_house(environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    """The running system behind a proxy, with limits that let everything in."""
    limits = dict.fromkeys(("LIMIT_API_PER_S", "LIMIT_VOTES_BURST", "LIMIT_LOGIN_FAILURES_PER_MINUTE"), "100000")
    with running({**environment, **limits, "TRUSTED_PROXIES": "127.0.0.1/32"}, tmp_path / "stack") as one:
        yield one


def routes(environment: dict[str, str], competition: int, account: int) -> list[tuple[str, str]]:
    """Every method and path of the app, and some of the front door and of nobody."""
    found = []
    for rule in create_app(Services.from_settings(config.load(environment))).url_map.iter_rules():
        path = re.sub(r"<any\((\w+).*?\):\w+>", r"\1", rule.rule)
        path = path.replace("<id:user_id>", str(account)).replace("<code>", ACCESS_CODE)
        path = re.sub(r"<id:\w+>", str(competition), path)
        found += [(method, path) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    assert not [path for _, path in found if "<" in path]
    vote = f"/vote/{competition}"
    return [
        *found, ("POST", vote), ("PUT", vote), ("OPTIONS", vote), ("GET", f"/v/{ACCESS_CODE}"), ("GET", f"/vote/{TOKEN}"),
        ("GET", f"/static/{PASSWORD}"), ("GET", f"/{quote(EMAIL)}"), ("GET", "/ready"), ("GET", "/metrics"),
        ("GET", "/health"), ("GET", f"/live/{competition}"), (TOKEN.upper(), "/"),
    ]  # fmt: skip


def headers_of(token: str | None) -> dict[str, str]:
    """Headers with secrets where they do not belong; `token` is a right one."""
    planted = {
        "User-Agent": PASSWORD, "Referer": f"http://127.0.0.1/{TOKEN}", "X-Request-Id": TOKEN, "X-CSRF-Token": TOKEN,
        "If-Match": f'"{TOKEN}"', "X-Forwarded-For": ADDRESS, "Accept-Language": NAME, "X-Anything": EMAIL,
    }  # fmt: skip
    return planted | (
        {"Authorization": f"Bearer {token}"} if token else {"Cookie": f"session={SESSION}; device={TOKEN}"}
    )


def bodies() -> Iterator[tuple[str, bytes]]:
    """The fields in each form that a body may have, and broken."""
    whole = json.dumps(FIELDS).encode()
    yield "application/json", whole
    yield "application/json", whole[:-2]
    yield "application/x-www-form-urlencoded", urlencode(FIELDS).encode()
    yield (
        f"multipart/form-data; boundary={TOKEN}",
        f'--{TOKEN}\r\nContent-Disposition: form-data; name="{PASSWORD}"'.encode(),
    )
    yield f"text/{TOKEN}", PASSWORD.encode()


def everything_of(stack: Stack) -> str:
    """All that its parts have written, and its metrics."""
    return "\n".join([*(path.read_text("utf-8") for path in stack.logs), stack.get("/metrics").body.decode()])


def in_other_clothes(secret: str) -> set[str]:
    """The same as a log might write it."""
    encoded = secret.encode()
    return {secret, quote(secret), encoded.hex(), base64.b64encode(encoded).decode().rstrip("=")}


def assert_absent(stack: Stack, *secrets: str) -> None:
    text = everything_of(stack)
    for secret in secrets:
        for form in in_other_clothes(secret):
            assert form not in text, next(line for line in text.splitlines() if form in line)


def test_no_route_writes_what_it_was_sent(
    open_house: Stack, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    stack, one, other = open_house, make_competition(name=NAME, options=[CHOICE, "Hall stage"]), make_user()
    tokens = []
    for method, path in routes(stack.environment, one.id, other.id):
        for role in (None, "voter", "organiser", "admin"):
            tokens.append(token_of(make_user(role=role)) if role else None)
            for content_type, body in bodies():
                asked = f"{path}?{urlencode({'password': PASSWORD, 'choice': CHOICE, 'next': TOKEN})}"
                sent = None if method in ("GET", "OPTIONS") else body
                answer = stack.request(
                    method, asked, body=sent, content_type=content_type, headers=headers_of(tokens[-1])
                )
                assert answer.status != 500, (method, path, role, content_type)
                if sent is None:
                    break

    statuses = {line["status"] for line in stack.lines() if line["event"] == "request"}
    assert {200, 401, 403, 404, 405, 415, 422} <= statuses
    assert_absent(stack, *PLANTED, *filter(None, tokens))


def test_no_refused_connection_is_quoted(open_house: Stack) -> None:
    port = open_house.port
    for data in (
        f"{PASSWORD}\r\n\r\n",
        f"GET /{PASSWORD} HTTP/1.1\r\nHost: {TOKEN}@{TOKEN}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: localhost\r\n{PASSWORD}\r\n\r\n",
        f"GET /live/1?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Origin: https://{TOKEN}.example\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n",
        f"GET /live/1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: {SESSION}\r\n\r\n",
        f"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{PASSWORD}\r\n",
    ):
        with strangers.connect(port) as one:
            strangers.send_all(one, data.encode())

    wait_until(lambda: any(line["event"] == "request refused" for line in open_house.lines()))
    assert any(line["event"] == "access refused" and line["endpoint"] == "live" for line in open_house.lines())
    assert_absent(open_house, *PLANTED)


def test_no_unexpected_error_is_quoted(
    open_house: Stack, database_url: str, make_user: MakeUser, make_competition: MakeCompetition, token_of: TokenOf
) -> None:
    """Every INSERT fails with a sentence that holds the whole row, as some drivers' errors do."""
    stack, one, voter, organiser = open_house, make_competition(), make_user(), make_user(role="organiser")
    with psycopg.connect(database_url) as connection:
        for table in ("users", "competitions", "ballots"):
            connection.execute(QUOTING_TRIGGER.format(table=table).replace("quote_it", f"quote_{table}"))  # type: ignore[arg-type]
        [key] = connection.execute("SELECT receipt_key FROM competitions WHERE id = %s", (one.id,)).fetchone() or [b""]

    account = {"username": NAME, "email": EMAIL, "password": PASSWORD, "confirm_password": PASSWORD}
    assert stack.post("/register", account).status == 500
    wanted = {"name": NAME, "options": [CHOICE, "Hall stage"]}
    assert stack.post("/api/admin/competitions", wanted, token=token_of(organiser)).status == 500
    assert stack.vote(one.id, "a", token_of(voter)).status == 202
    wait_until(lambda: any(line["event"] == "uncaught" for line in stack.lines("worker")))

    unexpected = [line for line in stack.lines() if line["event"] == "unexpected"]
    assert [line["endpoint"] for line in unexpected] == ["accounts.register", "admin_api.create"]
    for line in (*unexpected, *(line for line in stack.lines("worker") if line["event"] == "uncaught")):
        assert line["exception"][0]["type"] == "psycopg.errors.RaiseException"
        assert line["exception"][0]["sqlstate"] == "P0001"
        assert line["exception"][0]["frames"]
    assert "quoted" not in everything_of(stack)
    receipt = receipt_code(key, voter.id)
    assert_absent(
        stack, *PLANTED, receipt, receipt.replace("-", ""), key.hex(), base64.b64encode(key).decode().rstrip("=")
    )
