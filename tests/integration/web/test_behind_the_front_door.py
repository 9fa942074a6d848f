"""What only shows behind the front door: bodies in chunks, one request id in header and body."""

import json

from tests.integration.web.asgi import Request, ask
from vote.config import Settings

JSON = {"Content-Type": "application/json"}
PERSON = {"username": "ada", "email": "ada@example.com", "password": "Pass123!", "confirm_password": "Pass123!"}


def test_a_body_in_chunks_is_read_and_limited(settings: Settings, redis_url: str) -> None:
    good = Request("POST", "/register", JSON, json.dumps(PERSON).encode(), chunked=True)
    huge = Request("POST", "/register", JSON, b'{"username": "' + b"a" * 100_000 + b'"}', chunked=True)

    first, second = ask(settings, [good, huge])

    assert first.status == 201, first.body
    assert second.status == 413
    assert json.loads(second.body)["status"] == 413


def test_header_and_body_quote_the_same_id(settings: Settings, redis_url: str) -> None:
    [answer] = ask(settings, [Request("GET", "/nothing", {"X-Request-ID": "theirs"})])

    assert json.loads(answer.body)["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-request-id"] != "theirs"
