"""Text is UTF-8, in every field of every body and in addresses; one rule of types and fields for pages, API and votes."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from tests.integration.asgi import Request, ask
from tests.integration.clients import ApiClient
from vote.app import create_app
from vote.config import Settings
from vote.domain.competition import Competition
from vote.services.container import Services
from vote.web.errors import render_error_page

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n--x--\r\n'
NO_TEXT = [
    ("application/json", rb'{"%b": "\ud800"}'),
    ("application/json", rb'{"%b": ["\udfff"]}'),
    ("application/json", b'{"%b": "\xff"}'),
    ("application/json", b'{"%b": "\xed\xa0\x80"}'),
    (FORM, b"%b=%%ff"),
    (FORM, b"%b=\xff"),
    (FORM, b"%b=%%ed%%a0%%80"),
    (MULTIPART, PART.replace(b"\r\n%b\r\n", b"\r\n\xff\r\n")),
]
PATHS = ["/login", "/register", "/forgot", "/reset", "/confirm", "/vote/1"]


@pytest.mark.parametrize(("kind", "body"), NO_TEXT)
def test_what_is_no_text_is_refused_in_every_field_of_every_body(
    settings: Settings, redis_url: str, kind: str, body: bytes
) -> None:
    fields = (b"username", b"email", b"token", b"vote", b"password", b"csrf_token", b"next", b"unknown")
    asked = [Request("POST", path, {"Content-Type": kind}, body % field) for path in PATHS for field in fields]

    answers = ask(settings, asked)

    assert {(one.path, answer.status) for one, answer in zip(asked, answers, strict=True)} == {
        (path, 422) for path in PATHS
    }
    assert all("not valid UTF-8" in json.loads(answer.body)["detail"] for answer in answers)


EMAIL = PART.replace(b"--x--\r\n", b"") % (b"email", b"ada@example.org")
WITHOUT_A_NAME = [
    ("application/json", b'{"email": "ada@example.org", "": "x"}'),
    (FORM, b"email=ada@example.org&=x"),
    (MULTIPART, EMAIL + PART % (b"", b"x")),
    (MULTIPART, EMAIL + PART % (b"quotes that do not end\\", b"x")),
    (MULTIPART, EMAIL + PART.replace(b'; name="%b"', b"") % b"x"),
    (MULTIPART, EMAIL + PART.replace(b'"%b"', b'"%b"; filename="cv.pdf"') % (b"cv", b"x")),
]


@pytest.mark.parametrize(
    ("kind", "body"),
    WITHOUT_A_NAME,
    ids=["json", "form", "multipart", "a name that does not end", "no name at all", "a file"],
)
def test_a_field_without_a_name_is_a_field_that_nobody_offered(
    settings: Settings, redis_url: str, kind: str, body: bytes
) -> None:
    assert ask(settings, [Request("POST", "/forgot", {"Content-Type": kind}, body)])[0].status == 422


@pytest.mark.parametrize("kind", ["application/x-rubbish", "text/plain", "application/xml"])
def test_a_type_that_nobody_reads_is_415_everywhere(settings: Settings, redis_url: str, kind: str) -> None:
    answers = ask(settings, [Request("POST", path, {"Content-Type": kind}, b"vote=a") for path in PATHS])

    assert [answer.status for answer in answers] == [415] * len(PATHS)
    assert {json.loads(answer.body)["title"] for answer in answers} == {"Unsupported media type"}


@pytest.mark.parametrize("kind", ["application/merge-patch+json", ""])
def test_json_by_another_name_and_a_form_without_one_are_read_everywhere(
    settings: Settings, redis_url: str, kind: str
) -> None:
    body = b'{"vote": "a"}' if kind else b"vote=a"

    answers = ask(settings, [Request("POST", path, {"Content-Type": kind} if kind else {}, body) for path in PATHS])

    assert {answer.status for answer in answers} <= {401, 403, 422}, "each has read it, and says what is missing"


def test_addresses_are_text(settings: Settings, redis_url: str) -> None:
    paths = ["/%ff", "/vote/%31", "/login", "/receipts"]
    queries = [b"", b"", b"next=%ff", b"code=%ed%a0%80"]

    answers = ask(
        settings,
        [Request("GET", path, query=query) for path, query in zip(paths, queries, strict=True)]
        + [Request("POST", "/vote/1", query=b"%ff")],
    )

    assert [answer.status for answer in answers] == [400, 404, 400, 400, 400]


def test_absolute_addresses_come_from_public_url(
    services: Services, make_competition: Callable[..., Competition]
) -> None:
    app = create_app(
        replace(services, settings=services.settings.model_copy(update={"public_url": "https://vote.example"}))
    )
    path, client = f"/vote/{make_competition().id}", app.test_client()

    page = client.get(path, base_url="http://evil.example")
    moved = client.get(path.replace("/vote/", "/vote//"), base_url="http://evil.example")

    assert 'property="og:image" content="https://vote.example/static/' in page.text
    assert moved.location == f"https://vote.example{path}"
    assert "evil" not in page.text + moved.text


def test_a_path_that_names_another_site_leads_nowhere_else(app: Flask, api: ApiClient) -> None:
    told = {"status": 503, "detail": "", "request_id": "x", "safe": None, "cookie": ""}

    page = render_error_page(app, back="//evil.example/x", **told)  # type: ignore[arg-type]

    assert b"evil" not in page
    assert not api.get("//evil.example/x").headers.get("Location", "").startswith("//")
