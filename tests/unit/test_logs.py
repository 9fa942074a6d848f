"""One line of the log is one JSON object in printable ASCII, whoever writes it."""

import json
import subprocess
import sys

import pytest

from tests.log_schema import wrong_lines
from vote.logs import render

PROGRAM = r"""
import logging, sys, threading, warnings
from gunicorn.config import Config
from gunicorn.glogging import Logger
from vote import logs
from vote.server.access_log import AccessLog

plain = logging.StreamHandler(sys.stderr)
for name in ("uvicorn.error", "gunicorn.error"):
    logging.getLogger(name).addHandler(plain)
    logging.getLogger(name).propagate = False
from vote.ops.gunicorn_conf import JsonLogger
gunicorn = JsonLogger(Config())
logging.getLogger("uvicorn.error").addHandler(plain)
logs.route_libraries()

HOSTILE = "a\r\nb\x1b[2J\x7f\x9b\u2028\u2029\x85\ud800 {}"
gunicorn.error("Worker (pid:%s) was sent SIGKILL!", HOSTILE)
for name in ("uvicorn.error", "asyncio", "anybody"):
    logging.getLogger(name).error(HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger(name).exception("with a trace")
        logs.logger.exception("failed", reason=HOSTILE)
warnings.warn(HOSTILE)
def fail(): raise ValueError(HOSTILE)
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Broken:
    def __del__(self): raise ValueError(HOSTILE)
Broken()
import asyncio
async def main():
    for path in (HOSTILE, "/\u2028", "/\x7f"):
        AccessLog().tell(request_id="0" * 32, method="GET", path=path, status=200, seconds=0, more={})
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
asyncio.run(main())
fail()
"""


def test_every_line_of_every_logger_is_one_json_object() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False, timeout=60)

    assert run.stderr == b""
    lines = run.stdout.decode("ascii").removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines), lines
    assert list(wrong_lines(lines)) == []
    told = [json.loads(line) for line in lines]
    assert [line["event"] for line in told].count("uncaught") == 3, "a thread, a destructor, the program itself"
    assert [line["event"] for line in told].count("request") == 3
    assert len(told) == 1 + 3 * 3 + 1 + 3 + 4, "a warning and three requests too, and what asyncio told"


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert render({"a": {1}, "b": "\x7f"}) == '{"a": "{1}", "b": "\\u007f"}'


ONE_WRITE = r"""
import io, json, logging, structlog, sys
from vote import logs

class Output(io.StringIO):
    def write(self, text):
        written.append(text)
        return len(text)

written, sys.stdout = [], Output()
logs.configure("tests")
structlog.get_logger().info("started")
logging.getLogger("another").warning("a library's")
print(json.dumps(written), file=sys.stderr)
"""


def test_a_line_and_its_end_are_one_write() -> None:
    """Processes share an output: between two writes there is room for the line of another."""
    run = subprocess.run([sys.executable, "-c", ONE_WRITE], capture_output=True, text=True, check=True)
    written = json.loads(run.stderr)

    assert [json.loads(text)["event"] for text in written] == ["started", "library"]
    assert all(text.endswith("\n") for text in written)


COMMAND = r"""
import logging, structlog, sys
from vote import logs

logs.configure_command()
structlog.get_logger().info("started")
structlog.get_logger().warning("migration waits", reason="a lock", revision="0013")
print("the answer")
"""


def test_a_command_that_ends_answers_alone_on_standard_output() -> None:
    run = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True)

    assert run.stdout == "the answer\n"
    [line] = run.stderr.splitlines()
    assert list(wrong_lines([line])) == []
    assert json.loads(line)["part"] == "command"


WHOLE = r"""
import asyncio, io, select, sys
from vote.server.access_log import AccessLog

class Output(io.StringIO):
    def write(self, text):
        assert len(text) <= select.PIPE_BUF and text.endswith("}\n")
        return super().write(text)

async def main():
    log = AccessLog()
    for _ in range(100):
        log.tell(request_id="0" * 32, method="GET", path="/", status=200, seconds=0, more={})
    await asyncio.sleep(0)

before, sys.stdout = sys.stdout, Output()
asyncio.run(main())
print(sys.stdout.getvalue().count("\n"), file=before)
"""


def test_no_write_is_larger_than_a_pipe_takes_whole() -> None:
    """Beyond PIPE_BUF the lines of two processes on one pipe could mix (pipe(7))."""
    run = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, text=True, check=True)

    assert run.stdout == "100\n"


ASYNCIO = r"""
import asyncio, gc, sys
from vote import logs

SECRET = "planted-secret"

def fail(_secret): raise ValueError(SECRET)

async def fail_alone(): raise ValueError(SECRET)

async def main():
    asyncio.get_running_loop().call_soon(fail, SECRET)
    task = asyncio.create_task(fail_alone())
    await asyncio.wait([task])
    del task
    gc.collect()

logs.configure("tests")
asyncio.run(main())
if len(sys.argv) > 1:
    import uvloop
    uvloop.run(main())
"""


@pytest.mark.parametrize("loop", [[], ["uvloop"]], ids=["asyncio", "uvloop"])
def test_no_argument_of_a_callback_is_in_a_line(loop: list[str]) -> None:
    run = subprocess.run([sys.executable, "-c", ASYNCIO, *loop], capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {line["event"] for line in lines} == {"library"}
    assert {"Task exception was never retrieved"} < {line["message"] for line in lines}
    assert all(line["exception"][0]["type"] == "ValueError" for line in lines)
    assert "planted-secret" not in run.stdout
