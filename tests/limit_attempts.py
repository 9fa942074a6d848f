"""How each limit of `vote/input_limits.py` is tried over HTTP: a function sends so much of what is limited and gives the
status of the answer, SERVED when the server took it.
"""

import contextlib
import json
import secrets
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from tests import hostile_clients as strangers
from tests.stack import Stack, wait_until
from vote import input_limits as limits
from vote.actions.mailed_links import USED_UP

LOW = {
    "WEB_CONCURRENCY": "1",
    "LIMIT_SOCKETS_PER_ACCOUNT": "3",
    "LIMIT_LOGINS_PER_MINUTE": "2",
    "LIMIT_MAILS_PER_HOUR": "5",
}
PASSWORD = "Pass-of-a-test-7193"
SERVED = 200
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
JSON = "application/json"


class Ground(NamedTuple):
    """What a test stands on."""

    stack: Stack
    competition: int
    new_token: Callable[[], str]
    new_name: Callable[[], str]


def status_of(ground: Ground, data: bytes) -> int:
    """The status of the answer to these bytes."""
    with strangers.connect(ground.stack.port) as one:
        with contextlib.suppress(OSError):
            one.sendall(data)
        answer = b""
        with contextlib.suppress(OSError):
            while b"\r\n" not in answer and (part := one.recv(4096)):
                answer += part
    return int(answer[9:12] or 0)


def head(ground: Ground, size: int) -> int:
    lines = b"".join(b"X-%02d: %b\r\n" % (number, b"a" * 1000) for number in range(size // 1100))
    left = size - len(HEAD) - len(lines) - len(b"X: \r\n\r\n")
    return status_of(ground, HEAD + lines + b"X: %b\r\n\r\n" % (b"a" * left))


def header_fields(ground: Ground, number: int) -> int:
    return status_of(ground, HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(number - 1)) + b"\r\n")


def address(ground: Ground, size: int) -> int:
    return status_of(ground, HEAD.replace(b"/health", b"/health?".ljust(size, b"a")) + b"\r\n")


def hosts(ground: Ground, number: int) -> int:
    return status_of(ground, b"GET /health HTTP/1.1\r\n" + b"Host: localhost\r\n" * number + b"\r\n")


def framing(ground: Ground, size: int) -> int:
    trailer = b"a" * (size - len(b"2\r\n\r\n0\r\nX: \r\n\r\n"))
    body = b"2\r\n{}\r\n0\r\nX: %b\r\n\r\n" % trailer
    kind = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return ok_or(status_of(ground, b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + kind + body), 422)


def chunk_extension(ground: Ground, size: int) -> int:
    body = b"2;%b\r\n{}\r\n0\r\n\r\n" % (b"a" * (size - len(b"2;\r\n\r\n0\r\n\r\n")))
    kind = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return ok_or(status_of(ground, b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + kind + body), 422)


def ahead(ground: Ground, number: int) -> int:
    """However many are sent ahead, each is answered in its turn."""
    sent = HEAD + b"\r\n"
    with strangers.connect(ground.stack.port) as one:
        one.sendall(sent * 150 * number + sent.replace(b"Host", b"Connection: close\r\nHost"))
        assert strangers.send_all(one, b"").count(b"HTTP/1.1 200 ") == 150 * number + 1
    return SERVED


def body_of(ground: Ground, path: str, size: int, start: bytes, token: str | None = None) -> int:
    return ground.stack.post(path, start[:-1] + b" " * (size - len(start)) + b"}", token=token).status


def body(ground: Ground, size: int) -> int:
    return ok_or(body_of(ground, "/register", size, b'{"username": "a"}'), 422)


def ballot(ground: Ground, size: int) -> int:
    return ok_or(body_of(ground, f"/vote/{ground.competition}", size, b'{"vote": "a"}', ground.new_token()), 202)


def in_each_form(ground: Ground, path: str, names: list[str], token: str | None = None) -> set[int]:
    """The statuses of the same fields as JSON, form and multipart."""
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\na\r\n--x'
    bodies = {
        JSON: json.dumps(dict.fromkeys(names, "a")),
        strangers.FORM: urlencode(dict.fromkeys(names, "a")),
        "multipart/form-data; boundary=x": "--x\r\n" + "\r\n".join(map(part.format, names)) + "--\r\n",
    }
    return {
        ground.stack.post(path, text.encode(), content_type=kind, token=token).status for kind, text in bodies.items()
    }


def fields(ground: Ground, number: int) -> int:
    names = ["username", "password", *(f"f{n}" for n in range(number - 2))]
    return ok_or(only(in_each_form(ground, "/login", names)), 422)


def fields_of_a_ballot(ground: Ground, number: int) -> int:
    names = ["vote", *(f"f{n}" for n in range(number - 1))]
    statuses = in_each_form(ground, f"/vote/{ground.competition}", names, ground.new_token())
    return SERVED if statuses <= {200, 202} else only(statuses)


def unknown_fields(ground: Ground, number: int) -> int:
    told = ground.stack.post("/forgot", {"email": "a@example.com", **{f"f{n:02}": "" for n in range(number)}})
    assert len(told.json["errors"]) == min(number, limits.UNKNOWN_FIELDS_NAMED_MAX)
    return ok_or(told.status, 422)


def name_of_a_field(ground: Ground, size: int) -> int:
    told = ground.stack.post("/forgot", {"email": "a@example.com", "f" * size: ""})
    assert list(told.json["errors"]) == ["f" * min(size, limits.FIELD_NAME_MAX_CHARS)]
    return ok_or(told.status, 422)


def password(ground: Ground, size: int) -> int:
    name, secret = f"p{secrets.token_hex(6)}", secrets.token_hex(size)[:size]
    wanted = {"username": name, "email": f"{name}@example.com", "password": secret, "confirm_password": secret}
    return ok_or(ground.stack.post("/register", wanted).status, 201)


def token(ground: Ground, size: int) -> int:
    """Ours are shorter than they may be; whatever is longer is not read at all."""
    own = ground.new_token()
    assert len(own) < limits.TOKEN_MAX_CHARS
    return ground.stack.get("/api/me", token=own if size == limits.TOKEN_MAX_CHARS else own.ljust(size, "x")).status


def token_of_a_mail(ground: Ground, size: int) -> int:
    told = ground.stack.post("/confirm", {"token": "t" * size}).json["errors"]["token"]
    return SERVED if told == USED_UP else 422


def logged_path(ground: Ground, size: int) -> int:
    path = f"/{secrets.randbelow(10**15)}".ljust(size, "/")
    ground.stack.get(path)
    wait_until(lambda: any(line.get("path") == path[: limits.LOGGED_PATH_MAX_CHARS] for line in ground.stack.lines()))
    return SERVED


def right_passwords(ground: Ground, number: int) -> int:
    name, times = ground.new_name(), int(LOW["LIMIT_LOGINS_PER_MINUTE"]) + number - row("correct passwords").number
    return [strangers.log_in(ground.stack.port, name, PASSWORD).status for _ in range(times)][-1]


def mails(ground: Ground, number: int) -> int:
    times, source = int(LOW["LIMIT_MAILS_PER_HOUR"]) + number - row("requested mails").number, f"127.0.8.{number % 200}"
    told = [ask_for_mail(ground, f"{secrets.token_hex(8)}@example.com", source) for _ in range(times)]
    assert set(told[:-1]) == {202}
    return ok_or(told[-1], 202)


def mails_to_an_address(ground: Ground, number: int) -> int:
    to = f"{secrets.token_hex(8)}@example.com"
    told = [ask_for_mail(ground, to, f"127.0.9.{number}") for _ in range(number)]
    assert set(told[:-1]) == {202}
    return ok_or(told[-1], 202)


def ask_for_mail(ground: Ground, address: str, source: str) -> int:
    return strangers.post(ground.stack.port, "/forgot", {"email": address}, source=source).status


def ok_or(status: int, expected: int) -> int:
    """SERVED for the status with which this request is let through."""
    return SERVED if status == expected else status


def only(statuses: set[int]) -> int:
    """The one status that all ways in have answered."""
    (status,) = statuses
    return status


def row(name: str) -> limits.InputLimit:
    """A line of the table."""
    return next(one for one in limits.TABLE if one.name == name)
