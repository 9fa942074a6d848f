"""What clients are answered: redirect, headers, static files from the cache, the maintenance page, and the log line."""

import base64
import hashlib
import json
import re
from itertools import pairwise

from tests.deploy.nginx.clients import BROWSER, Answer
from tests.deploy.nginx.front import Front
from tests.deploy.nginx.recording_web import Seen, answer
from tests.stack import wait_until
from vote.web.compression import best_coding

HSTS = "max-age=63072000; includeSubDomains"
IMMUTABLE = "public, max-age=31536000, immutable"
HIDDEN = (
    "hidden-query",
    "hidden-code",
    "hidden-cookie",
    "hidden-bearer",
    "hidden-referer",
    "hidden-agent",
    "hidden-body",
)


def plain_http_leads_to_https(front: Front) -> None:
    """Pages are led on; what would have sent a secret in the clear is refused; challenges are served."""
    for method in ("GET", "HEAD"):
        led = front.client.ask_plainly(method, "/vote/1?choice=a")
        assert led.status == 301
        assert led.all("Location") == [f"https://{front.client.name}/vote/1?choice=a"]
        assert led.all("Strict-Transport-Security") == []  # RFC 6797 §7.2
    assert front.client.ask_plainly("GET", "/", {"Host": "evil.example"}).all("Location") == ["https://localhost/"]
    for method, path in (("POST", "/login"), ("DELETE", "/"), ("GET", "/api/competitions"), ("POST", "/api/x")):
        assert front.client.ask_plainly(method, path).status == 403, (method, path)

    challenges = front.site.acme / ".well-known/acme-challenge"
    challenges.mkdir(parents=True)
    (challenges / "token").write_text("proof")
    (front.site.acme / "secret").write_text("none of the challenges")
    assert front.client.ask_plainly("GET", "/.well-known/acme-challenge/token").body == b"proof"
    for path in (
        "/.well-known/acme-challenge/other",
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/%2e%2e/%2e%2e/secret",
    ):
        given = front.client.ask_plainly("GET", path)
        assert b"none of the challenges" not in given.body
        assert given.status in (301, 403, 404), path
    assert front.seen == []


def every_answer_has_the_headers(front: Front) -> None:
    """HSTS for two years exactly once, one request id, and no version of any program."""
    for web in front.webs:
        web.answer = _with_headers_of_its_own
    answers = {
        path: front.client.get(path) for path in ("/", "/vote/1", "/live/1", "/static/x.js", "/missing", "/login")
    }
    assert front.client.get("/static/x.js").body == answers["/static/x.js"].body  # from the cache
    answers |= {"kept": front.client.get("/static/x.js"), "inside": front.client.get("/ready", BROWSER)}
    answers |= {"bad": front.client.get("/", {"Content-Length": "x"}), "long": front.client.get("/" + "x" * 9000)}
    answers |= {"large": front.client.post("/vote/1", b"x" * 20_000), "other": front.client.get("/", {"Host": "other"})}
    for web in front.webs:
        web.vanish()
    answers |= {"gone": front.client.get("/"), "gone page": front.client.get("/", BROWSER)}

    for name, one in answers.items():
        assert one.all("Server") == ["nginx"], name
        assert not re.search(rb"nginx/[0-9]", one.body), name
        assert one.all("X-Powered-By") == [], name
        if name != "other":  # a name that is not ours has no HSTS of ours
            assert one.all("Strict-Transport-Security") == [HSTS], name
            assert len(one.all("X-Request-Id")) == 1, name
    for name in ("inside", "large", "gone", "gone page"):
        assert answers[name].all("X-Content-Type-Options") == ["nosniff"], name
        assert answers[name].all("Cache-Control") == ["no-store"], name
        assert answers[name].all("X-Frame-Options") == ["DENY"], name
    assert answers["kept"].all("X-Request-Id") != answers["/static/x.js"].all("X-Request-Id")
    assert answers["/"].all("X-Request-Id") == ["of-the-web"]


def _with_headers_of_its_own(seen: Seen) -> bytes:
    fields = {"X_Request_Id": "of-the-web", "Strict_Transport_Security": "max-age=1", "Server": "gunicorn/1"}
    if seen.path.startswith("/static/"):
        fields["Cache_Control"] = IMMUTABLE
    return answer("404 Not Found" if seen.path == "/missing" else "200 OK", **fields)


def static_files_are_kept_by_coding(front: Front) -> None:
    """Each coding is asked for once, by nobody in particular, and given to those who can read it."""
    for web in front.webs:
        web.answer = _static
    for accepted in (
        "gzip, deflate, br, zstd",
        "br",
        "gzip",
        "",
        "identity",
        "gzip;q=1.0, br;q=0",
        "br;q=0.000,gzip;q=0",
    ):
        for _ in range(2):
            given = front.client.get("/static/vote.js?x=1", {"Accept-Encoding": accepted, "Cookie": "who=me"})
            assert given.body == (best_coding(accepted) or "as it is").encode(), accepted
    asked = [seen.all("Accept-Encoding") for seen in front.seen]
    assert sorted(asked) == [[], ["br"], ["gzip"]], asked
    assert not any(seen.all("Cookie") or seen.all("Authorization") for seen in front.seen)

    front.forget()
    for _ in range(2):
        front.client.get("/static/old.js")
        front.client.get("/vote.js")
    assert len(front.seen) == 4  # neither what may not be kept nor what is no static file
    for web in front.webs:
        web.vanish()
    assert front.client.get("/static/vote.js").body == b"as it is"


def _static(seen: Seen) -> bytes:
    coding = "".join(seen.all("Accept-Encoding"))
    kept = "no-store" if seen.path.startswith("/static/old") else IMMUTABLE
    fields = {"Cache_Control": kept, "Vary": "Accept-Encoding"} | ({"Content_Encoding": coding} if coding else {})
    return answer(body=coding.encode() or b"as it is", **fields)


def no_web_means_the_maintenance_page(front: Front) -> None:
    """503 with Retry-After: a page for browsers, JSON for others; a web's own error passes as it is."""
    own = answer("503 Service Unavailable", b'{"detail":"own"}', Retry_After="1")
    for web in front.webs:
        web.answer = lambda _seen: own
    passed = front.client.post("/vote/1", b"vote=a", BROWSER)
    assert (passed.status, passed.body, passed.all("Retry-After")) == (503, b'{"detail":"own"}', ["1"])

    for web in front.webs:
        web.vanish()
    page = front.client.get("/vote/1", BROWSER)
    _is_maintenance(page, "text/html; charset=utf-8")
    assert b"Reload this page" in page.body
    assert page.all("X-Request-Id")[0].encode() in page.body
    cast = front.client.post("/vote/1", b"vote=a", BROWSER)
    _is_maintenance(cast, "text/html; charset=utf-8")
    assert b"it cannot count twice" in cast.body
    style = re.search(rb"<style>(.*?)</style>", page.body, re.DOTALL)
    assert style is not None
    assert (
        f"'sha256-{base64.b64encode(hashlib.sha256(style[1]).digest()).decode()}'"
        in page.all("Content-Security-Policy")[0]
    )
    for given in (
        front.client.get("/"),
        front.client.get("/api/competitions", BROWSER),
        front.client.post("/vote/1", b"vote=a"),
        front.client.post("/vote/1", b"vote=a", {"Accept": "application/json", "Cookie": "a=b"}),
    ):
        _is_maintenance(given, "application/problem+json")
        assert given.json["status"] == 503
        assert given.json["request_id"] == given.all("X-Request-Id")[0]


def _is_maintenance(given: Answer, kind: str) -> None:
    assert given.status == 503
    assert given.all("Retry-After") == ["5"]
    assert given.all("Content-Type") == [kind]


def no_log_line_says_who_or_what(front: Front) -> None:
    """A line per request, in JSON, in UTC; no query, code, address, cookie or body in either log, whatever goes wrong."""
    query, code = "hidden-query", "hidden-code"
    fields = {
        "Cookie": "s=hidden-cookie",
        "Authorization": "Bearer hidden-bearer",
        "Referer": "https://localhost/?t=hidden-referer",
        "User-Agent": "hidden-agent",
    }
    paths = [
        f"/login?next={query}",
        f"/reset#{query}",
        f"/v/{code}",
        f"/v/{code}/x?{query}",
        f"//v/{code}",
        f"/V/{code}",
        f"/api/receipts/{code}",
    ]
    paths += [f"/%76/{code}", f"/v%2f{code}", f"/x/../v/{code}", f"/?{query}", f"/ready?{query}", f"/{'x' * 300}{code}"]

    def ask_all() -> None:
        for path in paths:
            front.client.get(path, fields, source="127.0.0.77")
            front.client.ask_plainly("GET", path, fields)
        front.client.post(f"/vote/1?{query}", b"hidden-body" * 3000, fields)
        front.client.post(f"/vote/1?{query}", b"hidden-body", fields)
        front.client.get(f"/?{query}", {**fields, "Content-Length": "x"})
        for _ in range(120):
            front.client.get(f"/forgot?{query}", fields)

    ask_all()
    front.webs[0].vanish()
    front.webs[1].answer = lambda _seen: None
    ask_all()

    wait_until(lambda: len(front.site.lines()) >= 4 * len(paths) + 246, what="a line of each request")
    lines = front.site.lines()
    assert {line["path"] for line in lines} == {
        *(
            "/login",
            "/reset",
            "/v/-",
            "//v/-",
            "/V/-",
            "/api/receipts/-",
            "/%-",
            "/v%-",
            "/x/../v/-",
            "/",
            "/ready",
            "/" + "x" * 199,
            "/vote/1",
        ),
        *("/forgot",),
    }
    assert {line["method"] for line in lines} == {"GET", "POST"}
    assert any(line["method"] == "POST" and line["status"] == 503 for line in lines)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", line["time"]) for line in lines)
    assert all(one["time"] <= other["time"] for one, other in pairwise(lines))
    everything = front.site.access_log.read_text("utf-8") + front.site.error_log.read_text("utf-8")
    for hidden in (*HIDDEN, "127.0.0.77"):
        assert hidden not in everything, [line for line in everything.splitlines() if hidden in line][:3]
    assert json.dumps(lines[0])
