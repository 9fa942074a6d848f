"""The log of the running system is JSON, line by line, also where clients send nonsense and processes die."""

import json

import psutil

from tests import hostile_clients as strangers
from tests.stack import Stack, wait_until

NONSENSE = (
    b"nonsense\r\n\r\n",
    b"GET /%C2%9B%E2%80%A8%7F HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"GET /live/1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"POST /vote/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40_000,
)


def test_every_line_is_a_json_object(stack: Stack) -> None:
    for data in NONSENSE:
        with strangers.connect(stack.port) as one:
            strangers.send_all(one, data)
    psutil.Process(stack.web_pid).children()[0].kill()
    wait_until(lambda: b"SIGKILL" in stack.logs[0].read_bytes() or b"SIGKILL" in stack.logs[-1].read_bytes())

    for path in stack.logs:
        for line in path.read_bytes().decode("ascii").removesuffix("\n").split("\n"):
            assert line.isprintable()
            assert isinstance(json.loads(line), dict)
