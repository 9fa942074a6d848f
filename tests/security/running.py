"""Controls that attack the running app: cases made from the OpenAPI document, a crawler, SQL injection."""

import json
import os
import re
import tempfile
from pathlib import Path

from tests.security.attacked import Attacked, attacked_app
from tests.security.planted_app import planted_app
from tests.security.tools import CannotLook, run

CASES = int(os.environ.get("SECURITY_CASES", "50000"))
OPERATIONS = 24  # of the document that are attacked: the cases are shared out among them
# What a fuzzer with an admin's token must not do, or it goes on as nobody: end its own account and its own token.
ENDS_ITSELF = "^/(logout|account/.*|api/admin/people/.*/logout)$"
ENDS_A_SESSION = ("/logout", "/account/logout-everywhere", "/account/devices/*", "/admin/people/*/logout")
# Two refusals that schemathesis does not count as such: a body with too many fields, and one of a type nobody reads.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 406, 413, 415, 422, 428, "5xx"]
"""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "use_after_free",
    "ensure_resource_availability",
)


class Contract:
    """No case made from the document is answered by a 5xx or by what the document does not say (schemathesis)."""

    name, tool = "cases of the API document", "schemathesis"

    def planted(self) -> list[str]:
        """A division by a number of the caller's."""
        with planted_app() as url:
            return _fuzz(f"{url}/openapi.json", "--max-examples", "100")[0]

    def ours(self) -> list[str]:
        """As an admin, who reaches the most code."""
        with attacked_app() as one:
            each = str(max(20, CASES // OPERATIONS))
            with_token = ("--header", f"Authorization: Bearer {one.token}", "--header", "Accept: application/json")
            spared = ("--exclude-path-regex", ENDS_ITSELF, "--exclude-operation-id", "delete_api_me")
            found, cases = _fuzz(f"{one.url}/api/openapi.json", "--max-examples", each, *with_token, *spared)
            if not one.is_logged_in():
                raise CannotLook("the admin's token was ended on the way: the rest was tried as nobody")
            if cases < CASES:
                raise CannotLook(f"only {cases:,} of {CASES:,} cases were made")
            return found + _failures(one)


def _fuzz(document: str, *args: str) -> tuple[list[str], int]:
    """What failed, and how many cases were tried. Raises CannotLook when the tool itself stumbled on the way."""
    # One worker: in two threads Python 3.11 confuses the depth of what they parse (python/cpython#106905).
    checks = ("--checks", ",".join(CHECKS), "--seed", "1", "--workers", "1", "--continue-on-failure")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "schemathesis.toml").write_text(CONFIG)
        ended = run("schemathesis", "run", document, *checks, *args, within_s=3600, folder=Path(folder))
    if (made := re.search(r"(\d+) generated", ended.stdout)) is None:
        raise CannotLook(f"schemathesis: {(ended.stdout + ended.stderr).strip()[-800:]}")
    failed = re.split(r"^=+ FAILURES =+$", ended.stdout, flags=re.MULTILINE)[1:]
    if ended.returncode and not failed:
        stumbled = re.findall(r"^ *\w*(?:Error|Exception): .*$", ended.stdout, re.MULTILINE)
        raise CannotLook(f"schemathesis: {(' / '.join(stumbled) or ended.stdout.strip())[-800:]}")
    lines = [line for text in failed for line in text.splitlines() if re.match(r"_{3,} |- ST|    curl|\[\d{3}\]", line)]
    return (lines or [ended.stdout[-800:]]) if ended.returncode else [], int(made[1])


class Pages:
    """Scripts, forged forms, files, commands and headers, by crawling the pages as an admin (wapiti)."""

    name, tool = "crawl of the pages", "wapiti3"

    def planted(self) -> list[str]:
        """A reflected script, an injectable number, and no header at all: all three have to be found."""
        with planted_app() as url:
            found = _crawl(url)
        wanted = ("Reflected Cross Site Scripting", "SQL Injection", "Content Security Policy Configuration")
        missed = [one for one in wanted if not any(line.startswith(one) for line in found)]
        return [] if missed else found

    def ours(self) -> list[str]:
        """With the admin's session, sparing the forms that would end it."""
        with attacked_app() as one:
            session = one.session()
            spared = [part for form in ENDS_A_SESSION for part in ("--exclude", one.url + form)]
            found = _crawl(one.url, "--header", f"Cookie: {session}", *spared)
            if not one.is_logged_in(session):
                raise CannotLook("the admin's session was ended on the way: the rest was crawled as nobody")
            return found + _failures(one)


MODULES = "xss,permanentxss,sql,timesql,exec,file,crlf,redirect,csrf,csp,cookieflags,http_headers,htaccess,methods,xxe"


def _crawl(url: str, *args: str) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        report = Path(name, "report.json")
        bounds = ("--max-scan-time", "900", "--max-attack-time", "120", "--max-links-per-page", "60", "--depth", "4")
        where = ("--url", f"{url}/", "--scope", "folder", "--format", "json", "--output", str(report))
        how = (*where, "--module", MODULES, *bounds, "--no-bugreport", *args)
        ended = run("wapiti", *how, within_s=1500, folder=Path(name))
        if not report.exists():
            raise CannotLook(f"wapiti: {(ended.stdout + ended.stderr).strip()[-800:]}")
        kinds = json.loads(report.read_text("utf-8"))["vulnerabilities"]
    return [f"{kind}: {one['method']} {one['path']} {one['info']}" for kind, all_ in kinds.items() for one in all_]


# Every place where a stranger's text goes into a query. `*` marks what is attacked.
PLACES: tuple[tuple[str, str | None], ...] = (
    ("/api/competitions/1*", None),
    ("/api/receipts/ABCDEFGH*", None),
    ("/receipts?code=ABCDEFGH*", None),
    ("/results/1*", None),
    ("/vote/1", '{"vote": "a*"}'),
    ("/api/admin/competitions/1*", None),
    ("/api/admin/gaps/1*/decide", '{"decision": "lost*", "reason": "because*"}'),
    ("/api/admin/competitions/1*/reinstate", '{"reason": "because*"}'),
    ("/api/admin/competitions", '{"name": "n*", "option_a": "a*", "option_b": "b"}'),
    ("/api/admin/people?search=a*", None),
    ("/api/admin/people?after=a*", None),
    ("/forgot", '{"email": "y*@example.com"}'),
    ("/reset", '{"token": "t*", "new_password": "short", "confirm_password": "short"}'),
    ("/confirm", '{"token": "t*"}'),
    ("/register", '{"username": "x*", "email": "y*@example.com", "password": "short", "confirm_password": "short"}'),
)


class Injection:
    """SQL injection at every place that takes a stranger's text (sqlmap)."""

    name, tool = "SQL injection", "sqlmap"

    def planted(self) -> list[str]:
        """A number glued into a query."""
        with planted_app() as url:
            return _inject(f"{url}/thing?id=1*", None)

    def ours(self) -> list[str]:
        """With an admin's token."""
        with attacked_app() as one:
            token = f"Authorization: Bearer {one.token}"
            found = [line for path, body in PLACES for line in _inject(one.url + path, body, "--header", token)]
            return found + _failures(one)


def _inject(url: str, body: str | None, *args: str) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        how = ("--batch", "--level", "3", "--risk", "2", "--technique", "BEUS", "--threads", "2", "--disable-coloring")
        data = ("--data", body, "--header", "Content-Type: application/json") if body else ()
        # Every answer of ours but 200 is a refusal: sqlmap would stop at the first.
        spared = ("--ignore-code", "*", "--skip-urlencode") if body else ("--ignore-code", "*")
        ended = run(
            "sqlmap", "--url", url, *how, *data, *spared, "--output-dir", name, *args, within_s=900, folder=Path(name)
        )
    if "Parameter:" in ended.stdout and "Type:" in ended.stdout:
        return [f"{url}: {line.strip()}" for line in ended.stdout.splitlines() if line.strip().startswith("Payload:")]
    if "do not appear to be injectable" in ended.stdout:
        return []
    raise CannotLook(f"sqlmap at {url}: {ended.stdout.strip()[-500:]}")


def _failures(one: Attacked) -> list[str]:
    """What the app itself wrote down as its own fault while it was attacked."""
    return [f"the app failed: {line[:300]}" for line in one.log.splitlines() if '"event": "failed"' in line]
