"""The OpenAPI document is valid, complete, and true: every call is made and its answer held against it."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.datastructures import Headers

from tests.integration.asgi import Request, ask
from tests.integration.clients import PASSWORD, ApiClient, Browser
from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db.pool import Database
from vote.db.users import Account
from vote.web.admin import locks
from vote.web.api import gaps, openapi
from vote.worker.worker import Worker

QUESTION = {"name": "Which stage?", "option_a": "River", "option_b": "Hall"}
PERSON = {"username": "ada", "email": "ada@example.com", "password": PASSWORD, "confirm_password": PASSWORD}


class Checked:
    """Makes calls and holds each answer against the document; remembers what was called."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.called: set[tuple[str, str]] = set()

    def check(self, template: str, method: str, status: int, headers: Any, body: bytes) -> None:
        operation = self.document["paths"][template][method.lower()]
        self.called.add((template, method.lower()))
        assert str(status) in operation["responses"], f"{method} {template} → {status} is not in the document: {body!r}"
        told = operation["responses"][str(status)]
        for name in told.get("headers", {}):
            assert name.lower() in {name.lower() for name in dict(headers)}, f"{method} {template} has no {name}"
        if "content" not in told:
            return
        content_type = Headers(list(dict(headers).items())).get("Content-Type", "").split(";")[0]
        assert content_type in told["content"], f"{method} {template} → {status} is {content_type}"
        schema = {**told["content"][content_type]["schema"], "components": self.document["components"]}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(json.loads(body))

    def __call__(
        self, client: ApiClient, method: str, template: str, expected: int, *, at: Any = None, **more: Any
    ) -> Any:
        path = template if at is None else re.sub(r"{\w+}", str(at), template)
        answer = client(method, path, **more)
        assert answer.status_code == expected, f"{method} {path} → {answer.status_code}: {answer.text}"
        self.check(template, method, answer.status_code, answer.headers, answer.data)
        return answer


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return json.loads(json.dumps(openapi.document(app)))


def test_the_document_is_openapi_3_1(document: dict[str, Any], api: ApiClient) -> None:
    OpenAPIV31SpecValidator(document).validate()

    assert api.get("/api/openapi.json").json == document
    assert document["openapi"].startswith("3.1")
    calls = [call for path in document["paths"].values() for call in path.values()]
    assert len({call["operationId"] for call in calls}) == len(calls)
    assert [call["operationId"] for call in calls if not call["summary"]] == [], "a view's docstring is its text"


def test_a_text_names_the_limit_that_holds(document: dict[str, Any]) -> None:
    assert f"the latest {gaps.LATEST} of each" in document["paths"]["/api/admin/set-aside"]["get"]["description"]
    assert f"the latest {locks.LATEST}" in document["paths"]["/api/admin/locks"]["get"]["description"]


def test_every_api_route_is_in_the_document(document: dict[str, Any], app: Flask) -> None:
    told = {(path, method) for path, calls in document["paths"].items() for method in calls}
    served = {
        (openapi.PARAMETER.sub(r"{\2}", url.rule), method.lower())
        for url in app.url_map.iter_rules()
        if url.rule.startswith("/api/") and url.endpoint not in ("openapi.show", "openapi.docs")
        for method in (url.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert served <= told
    assert told >= {("/vote/{competition_id}", "post"), ("/register", "post"), ("/login", "post"), ("/logout", "post")}
    assert told >= {("/health", "get"), ("/ready", "get"), ("/metrics", "get")}


def test_every_answer_is_as_the_document_says(
    document: dict[str, Any],
    api: ApiClient,
    voter: ApiClient,
    make_user: Callable[..., Account],
    as_user: Callable[[Account], ApiClient],
    settings: Settings,
    worker: Worker,
    owner: Database,
    log: BallotLog,
) -> None:
    call = Checked(document)
    admin_account = make_user(role="admin")
    admin = as_user(admin_account)

    # accounts
    token = call(api, "POST", "/register", 201, json=PERSON).json["token"]
    call(api, "POST", "/register", 409, json=PERSON)
    call(api, "POST", "/register", 422, json={})
    call(api, "POST", "/register", 400, data=b"{", content_type="application/json")
    call(api, "POST", "/register", 415, data=b"<a/>", content_type="text/xml")
    call(api, "POST", "/register", 413, data=b"a=" + b"b" * 70_000, content_type="application/x-www-form-urlencoded")
    call(api, "POST", "/register", 403, json=PERSON, headers={"Origin": "https://evil.example"})
    call(api, "POST", "/login", 200, json={"username": "ada", "password": PASSWORD})
    call(api, "POST", "/login", 401, json={"username": "ada", "password": "wrong"})
    call(api, "POST", "/login", 422, json={})
    ada = ApiClient(api.app, token)
    call(ada, "GET", "/api/me", 200)
    call(api, "GET", "/api/me", 401)

    # competitions
    made = call(admin, "POST", "/api/admin/competitions", 201, json={**QUESTION, "allow_change": True})
    number = made.json["id"]
    hidden = call(admin, "POST", "/api/admin/competitions", 201, json={**QUESTION, "results_visibility": "after_close"})
    call(admin, "POST", "/api/admin/competitions", 422, json={})
    call(voter, "POST", "/api/admin/competitions", 403, json=QUESTION)
    call(api, "POST", "/api/admin/competitions", 401, json=QUESTION)
    call(admin, "GET", "/api/admin/competitions", 200)
    call(voter, "GET", "/api/admin/competitions", 403)
    one = "/api/admin/competitions/{competition_id}"
    etag = call(admin, "GET", one, 200, at=number).headers["ETag"]
    call(admin, "GET", one, 404, at=99)
    call(admin, "PATCH", one, 428, at=number, json={"name": "New"})
    call(admin, "PATCH", one, 200, at=number, json={"name": "New"}, headers={"If-Match": etag})
    call(admin, "PATCH", one, 412, at=number, json={"name": "Newer"}, headers={"If-Match": etag})
    call(admin, "PATCH", one, 409, at=number, json={"allow_change": False}, headers={"If-Match": "*"})
    call(admin, "DELETE", one, 428, at=number)
    call(admin, "DELETE", one, 204, at=hidden.json["id"], headers={"If-Match": "*"})
    call(admin, "POST", one + "/open", 200, at=number)
    call(api, "GET", "/api/competitions", 200)
    call(api, "GET", "/api/competitions/{competition_id}", 200, at=number)
    call(api, "GET", "/api/competitions/{competition_id}", 404, at=99)
    results = "/api/competitions/{competition_id}/results"
    version = call(api, "GET", results, 200, at=number).headers["ETag"]
    call(api, "GET", results, 304, at=number, headers={"If-None-Match": version})
    call(ApiClient(api.app, "x.y.z"), "GET", results, 401, at=number)

    # voting, through the front door
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    where = f"/vote/{number}"
    asked = [
        (202, Request("POST", where, bearer, b'{"vote":"a"}')),
        (200, Request("POST", where, bearer, b'{"vote":"a"}')),
        (202, Request("POST", where, bearer, b'{"vote":"b"}')),
        (422, Request("POST", where, bearer, b'{"vote":"z"}')),
        (401, Request("POST", where, {}, b"vote=a")),
        (404, Request("POST", "/vote/99", bearer, b'{"vote":"a"}')),
        (413, Request("POST", where, bearer, b'{"vote":"' + b"a" * 20_000 + b'"}')),
        (200, Request("GET", "/health")),
        (200, Request("GET", "/ready")),
        (200, Request("GET", "/metrics")),
    ]
    answers = ask(settings, [request for _, request in asked])
    for (expected, request), answer in zip(asked, answers, strict=True):
        assert answer.status == expected, f"{request} → {answer}"
        template = "/vote/{competition_id}" if request.path.startswith("/vote/") else request.path
        call.check(template, request.method, answer.status, answer.headers, answer.body)
    receipt = json.loads(answers[0].body)["receipt"]
    call(api, "GET", "/api/receipts/{code}", 200, at=receipt)
    call(api, "GET", "/api/receipts/{code}", 404, at="AAAA-AAAA-AAAA-AAAA")
    worker.step()
    call(ada, "GET", "/api/me/export", 200)

    # the end, over a gap and with something set aside
    log._call("FLUSHALL")
    worker.step()
    with owner.transaction(by="tests") as tx:
        tx.execute("INSERT INTO rejected_ballots VALUES (0, 'old', 1, 'noise', 'no such kind of entry')")
        tx.execute(
            "INSERT INTO unmatched_ballots VALUES (gen_random_uuid(), %s, 99, 'a', now(), 0, 'old', 2)", (number,)
        )
    call(admin, "POST", one + "/close", 202, at=number)
    call(voter, "POST", one + "/close", 403, at=number)
    call(admin, "POST", one + "/finish", 409, at=number, json={"reason": "Too early."})
    worker.step()
    assert call(admin, "GET", one, 200, at=number).json["waiting_for"]["unmatched"] == 1
    gaps = call(admin, "GET", "/api/admin/gaps", 200).json["gaps"]
    call(voter, "GET", "/api/admin/gaps", 403)
    decide = "/api/admin/gaps/{gap_id}/decide"
    call(admin, "POST", decide, 204, at=gaps[0]["id"], json={"reason": "The disk was replaced."})
    call(admin, "POST", decide, 404, at=gaps[0]["id"], json={"reason": "Once more."})
    call(admin, "POST", decide, 422, at=gaps[1]["id"], json={"reason": " "})
    call(admin, "GET", "/api/admin/gaps", 200)
    call(admin, "GET", "/api/admin/set-aside", 200)
    call(voter, "POST", one + "/finish", 403, at=number, json={"reason": "Mine."})
    call(admin, "POST", one + "/finish", 422, at=number, json={})
    call(admin, "POST", one + "/finish", 404, at=99, json={"reason": "Nothing."})
    call(admin, "POST", one + "/archive", 409, at=number)
    call(admin, "POST", one + "/finish", 200, at=number, json={"reason": "The count is as it was."})
    back = {"reason": "The account is back."}
    call(voter, "POST", one + "/reinstate", 403, at=number, json=back)
    call(admin, "POST", one + "/reinstate", 422, at=number, json={})
    call(admin, "POST", one + "/reinstate", 404, at=99, json=back)
    call(admin, "POST", one + "/reinstate", 409, at=number, json=back)
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE unmatched_ballots SET user_id = (SELECT id FROM users WHERE role = 'admin' LIMIT 1)")
    call(admin, "POST", one + "/reinstate", 202, at=number, json=back)
    call(admin, "POST", one + "/archive", 200, at=number)
    person = "/api/admin/people/{user_id}"
    call(admin, "GET", "/api/admin/people", 200)
    call(voter, "GET", "/api/admin/people", 403)
    them = make_user().id
    call(admin, "GET", person, 200, at=them)
    call(admin, "GET", person, 404, at=999)
    call(admin, "POST", person + "/role", 200, at=them, json={"role": "organiser"})
    call(admin, "POST", person + "/role", 422, at=them, json={"role": "king"})
    for step in ("disable", "enable", "logout"):
        call(admin, "POST", f"{person}/{step}", 200, at=them)
    call(admin, "POST", person + "/disable", 409, at=admin_account.id)
    call(ada, "POST", "/logout", 204)
    call(ada, "POST", "/logout", 401)
    change = {"current_password": "wrong", "new_password": "Pass1234!", "confirm_password": "Pass1234!"}
    call(as_user(make_user()), "POST", "/account/password", 422, json=change)
    call(as_user(make_user()), "POST", "/account/logout-everywhere", 204)
    call(as_user(make_user()), "POST", "/account/delete", 422, json={"password": "wrong"})

    # mail, and devices
    make_user(username="ben", password=PASSWORD)
    ben = ApiClient(api.app, api.post("/login", json={"username": "ben", "password": PASSWORD}).json["token"])
    email = {"email": "ben@example.org", "password": PASSWORD}
    call(ben, "POST", "/account/email", 422, json={**email, "password": "wrong"})
    call(ben, "POST", "/account/email", 204, json=email)
    call(ben, "POST", "/account/email", 409, json={**email, "email": "ADA@example.com"})
    call(ben, "POST", "/account/email/confirm", 202)
    call(ben, "GET", "/api/me/devices", 200)
    call(ben, "POST", "/account/devices/{device_id}/forget", 404, at=1)
    for status in (202, 202, 202, 429):
        call(api, "POST", "/forgot", status, json={"email": "nobody@example.org"})
    call(api, "POST", "/forgot", 422, json={"email": "nobody"})
    call(api, "POST", "/reset", 422, json={"token": "x", "new_password": PASSWORD, "confirm_password": PASSWORD})
    call(api, "POST", "/confirm", 422, json={"token": "x"})
    for status in (401, 401, 401, 401, 401, 429):
        call(api, "POST", "/login", status, json={"username": "nobody", "password": "wrong"})
    call(admin, "GET", "/api/admin/locks", 200)
    call(admin, "POST", "/api/admin/people/{user_id}/unlock", 200, at=them)
    call(as_user(make_user(password=PASSWORD)), "DELETE", "/api/me", 204, json={"password": PASSWORD})

    told = {(path, method) for path, calls in document["paths"].items() for method in calls}
    assert call.called == told


def test_whom_nobody_asks_to_log_in_is_not_told_to(document: dict[str, Any]) -> None:
    calls = [call for path in document["paths"].values() for call in path.values() if call["x-access"] == "public"]

    told = {call["responses"]["401"]["description"] for call in calls if "401" in call["responses"]}

    assert told == {"The token is not valid"}


def test_people_read_the_same_document(browser: Browser, document: dict[str, Any]) -> None:
    page = browser.get("/api/docs")

    assert page.status_code == 200
    assert page.mimetype == "text/html"
    for path in document["paths"]:
        assert path in page.text
    assert "Set-Cookie" not in page.headers
