"""What happens when a web hangs, breaks off, vanishes, or is taken out."""

import re
import subprocess
import time
from collections.abc import Callable
from functools import partial

from tests.deploy.nginx.clients import Answer
from tests.deploy.nginx.front import Front
from tests.deploy.nginx.recording_web import RecordingWeb, Seen, plainly
from tests.deploy.nginx.site import SHIPPED
from tests.stack import wait_until

README = SHIPPED / "README.md"
SCRIPT = SHIPPED.parents[1] / "vote/web/static/js/vote.js"
BALLOT_WAIT_S = 7  # proxy_read_timeout of @ballot


def a_ballot_is_sent_once(front: Front) -> None:
    """However a web fails a ballot that it has read, no other web gets it: the voter is told "not confirmed"."""
    ways: dict[str, Callable[[Seen], bytes | None]] = {
        "closes without a word": lambda _seen: None,
        "sends half an answer's head": lambda _seen: b"HTTP/1.1 200 OK\r\nContent-",
        "sends a head without an end": lambda _seen: b"HTTP/1.1 200 OK\r\nX: " + b"x" * 50_000,
    }
    for name, way in ways.items():
        for warm in (False, True):
            _forget_failures(front)
            if warm:  # the connection to the web has been used before
                assert [front.client.get("/").status for _ in range(4)] == [200] * 4
            front.forget()
            for web in front.webs:
                web.answer, web.closes = way, True
            given = front.client.post("/vote/1", b"vote=a")
            assert given.status == 503, name
            assert given.all("Retry-After") == ["5"]
            assert len(front.seen) == 1, (name, [seen.line for seen in front.seen])


def _forget_failures(front: Front) -> None:
    for web in front.webs:
        web.answer, web.closes = plainly, False
    front.site.reload()


def a_hanging_web_holds_ballots_for_seconds(front: Front) -> None:
    """A ballot is answered before its page gives up, sent to nobody else, and the next ones go to the other web."""
    front.webs[0].answer = partial(_hang, front.webs[0])
    began = time.monotonic()
    first = _until_one_fails(front, began)

    assert first.all("Retry-After") == ["5"]
    assert len(front.webs[0].paths("/vote/")) == 1
    for _ in range(20):
        assert front.client.post("/vote/1", b"vote=a").status == 200
    assert len(front.webs[0].paths("/vote/")) == 1
    ballots = [seen.body for seen in front.seen if seen.body.startswith(b"first")]
    assert len(ballots) == len(set(ballots)), ballots


def _until_one_fails(front: Front, began: float) -> Answer:
    """Ballots in turn; the first that the hanging web gets is the one that fails."""
    for number in range(3):
        asked = time.monotonic()
        given = front.client.post("/vote/1", b"first %d" % number)
        if given.status != 200:
            waited = time.monotonic() - asked
            assert given.status == 503
            assert BALLOT_WAIT_S - 0.5 <= waited < _page_waits_s(), f"waited {waited:.1f} s"
            return given
    raise AssertionError(f"no ballot failed in {time.monotonic() - began:.1f} s")


def _page_waits_s() -> float:
    found = re.search(r"ANSWER_WITHIN_MS = ([\d_]+);", SCRIPT.read_text("utf-8"))
    assert found is not None
    return int(found[1]) / 1000


def _hang(web: RecordingWeb, seen: Seen) -> bytes | None:
    """Answer nothing until this web ends the connection."""
    wait_until(lambda: web.is_closed, what="the web is closed", within=120)
    return None


def a_web_that_refuses_costs_nothing(front: Front) -> None:
    """Killed, with its port closed: every ballot arrives at the other one, once."""
    _one_is_gone(front, front.webs[0].vanish, slowest_s=3.0)


def a_web_that_is_silent_costs_a_second(front: Front) -> None:
    """Its address answers nothing, as after `docker stop`: one second, then the other web has it."""
    _one_is_gone(front, front.webs[0].fall_silent, slowest_s=4.0)


def _one_is_gone(front: Front, go: Callable[[], None], *, slowest_s: float) -> None:
    assert {front.client.post("/vote/1", b"before %d" % number).status for number in range(4)} == {200}
    go()
    slowest, began, count = 0.0, time.monotonic(), 0
    while time.monotonic() - began < 3:  # past fail_timeout, so that it is tried again
        asked = time.monotonic()
        assert front.client.post("/vote/1", b"after %d." % count).status == 200
        slowest, count = max(slowest, time.monotonic() - asked), count + 1
    assert slowest < slowest_s, f"{slowest:.2f} s"
    after = [seen.body for seen in front.seen if seen.body.startswith(b"after")]
    assert sorted(after) == sorted(b"after %d." % number for number in range(count))


def a_page_is_asked_of_another_web(front: Front) -> None:
    """Reading is safe to repeat: a web that breaks off costs nobody a page."""
    front.webs[0].answer = lambda _seen: None
    assert {front.client.get("/").status for _ in range(10)} == {200}
    assert len(front.webs[0].paths()) >= 1


def a_web_can_be_taken_out_and_put_back(front: Front) -> None:
    """By the two commands of README.md, as deploy/compose/upgrade does it."""
    out, back = re.findall(r"sed -i '(.+?)' /etc/nginx/upstream/web-1\.conf", README.read_text("utf-8"))
    line = front.site.web_file(1)
    text = line.read_text("utf-8")
    _edit(front, 1, out)
    assert {front.client.post("/vote/1").status for _ in range(20)} == {200}
    assert (len(front.webs[0].seen), len(front.webs[1].seen)) == (0, 20)

    _edit(front, 1, back)
    assert line.read_text("utf-8") == text
    assert {front.client.post("/vote/1").status for _ in range(20)} == {200}
    assert len(front.webs[0].seen) == 10

    for number in (1, 2):
        _edit(front, number, out)
    assert front.client.post("/vote/1").status == 503  # all of them out: the page, and no failed start


def _edit(front: Front, number: int, command: str) -> None:
    subprocess.run(["sed", "-i", command, str(front.site.web_file(number))], check=True)
    front.site.reload()
