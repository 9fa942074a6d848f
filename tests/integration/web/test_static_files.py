"""Static files and pages as browsers, caches and a CDN get them."""

import gzip
import re
from collections.abc import Callable

import brotli
import pytest

from tests.integration.asgi import Answered, Request, ask
from tests.integration.clients import Browser
from vote import config
from vote.config import Settings
from vote.domain.competition import Competition
from vote.errors import ConfigError
from vote.web.assets import assets

CDN = "https://cdn.example.org"
BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd", "Accept": "text/html", "Sec-Fetch-Site": "none"}


@pytest.fixture
def get(settings: Settings, redis_url: str) -> Callable[..., list[Answered]]:
    """Asks the front door for some paths."""

    def fetch(*paths: str, headers: dict[str, str] = BROWSER, method: str = "GET", **more: str) -> list[Answered]:
        return ask(settings.model_copy(update=more), [Request(method, path, headers) for path in paths])

    return fetch


# --- static files --------------------------------------------------------------------------------------------------------
def test_a_file_is_kept_for_a_year_by_its_name_and_sent_compressed(get: Callable[..., list[Answered]]) -> None:
    css = assets()["vote.css"]

    [smallest] = get(css.path)
    [zipped] = get(css.path, headers={"Accept-Encoding": "gzip"})
    [plain] = get(css.path, headers={})

    assert smallest.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert smallest.headers["content-type"] == "text/css; charset=utf-8"
    assert (smallest.headers["content-encoding"], brotli.decompress(smallest.body)) == ("br", css.body)
    assert (zipped.headers["content-encoding"], gzip.decompress(zipped.body)) == ("gzip", css.body)
    assert plain.body == css.body
    assert "content-encoding" not in plain.headers
    for one in (smallest, zipped, plain):
        assert one.headers["vary"] == "Accept-Encoding"
        assert one.headers["content-length"] == str(len(one.body))
        assert one.headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in one.headers


def test_a_name_of_another_version_is_answered_and_kept_by_nobody(get: Callable[..., list[Answered]]) -> None:
    old, none = get("/static/vote.0123456789abcdef.css", "/static/gone.0123456789abcdef.css")

    assert old.status == 200
    assert brotli.decompress(old.body) == assets()["vote.css"].body
    assert old.headers["cache-control"] == "no-store"
    assert none.status == 404
    assert none.headers["cache-control"] == "no-store"


def test_nothing_but_reading_is_answered_from_files(get: Callable[..., list[Answered]]) -> None:
    [answer] = get(assets()["vote.css"].path, method="POST", headers={})

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


# --- a CDN ---------------------------------------------------------------------------------------------------------------
def test_with_a_cdn_pages_take_files_from_it_and_compare_them(get: Callable[..., list[Answered]]) -> None:
    page, css = get("/", assets()["vote.css"].path, static_url=CDN)

    policy = page.headers["content-security-policy"]
    html = brotli.decompress(page.body).decode("utf-8")
    tags = re.findall(r"<(?:script|link)[^>]*(?:stylesheet|module)[^>]*>", html)

    assert f"script-src {CDN}; style-src {CDN}; img-src 'self' {CDN}; connect-src 'self';" in policy
    assert len(tags) >= 9
    assert [tag for tag in tags if f'"{CDN}/static/' not in tag or 'integrity="sha384-' not in tag] == []
    assert [tag for tag in tags if 'crossorigin="anonymous"' not in tag] == []
    assert f'<use href="{assets()["icons/sprite.svg"].path}#' in html, "browsers take a sprite from the own origin only"
    assert css.headers["access-control-allow-origin"] == "*"
    assert css.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "access-control-allow-origin" not in page.headers
    assert page.headers["cross-origin-resource-policy"] == "same-origin"


def test_without_one_everything_is_our_own(get: Callable[..., list[Answered]]) -> None:
    page, css = get("/", assets()["vote.css"].path)

    assert "script-src 'self'; style-src 'self'; img-src 'self'; connect-src" in page.headers["content-security-policy"]
    assert b"integrity" not in brotli.decompress(page.body)
    assert "access-control-allow-origin" not in css.headers


@pytest.mark.parametrize(
    "wrong", ["cdn.example.org", "https://cdn.example.org/x", "https://a b", "https://x; script-src *", "https://u@h"]
)
def test_a_cdn_is_an_origin_and_nothing_else(environment: dict[str, str], wrong: str) -> None:
    with pytest.raises(ConfigError, match="STATIC_URL"):
        config.load(environment | {"STATIC_URL": wrong})


def test_in_production_a_cdn_speaks_tls(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="STATIC_URL must begin with https"):
        config.load(environment | {"STATIC_URL": "http://cdn.example.org", "VOTE_ENV": "production"})
    assert config.load(environment | {"STATIC_URL": CDN + "/", "VOTE_ENV": "production"}).static_url == CDN


# --- pages ---------------------------------------------------------------------------------------------------------------
def test_a_page_is_compressed_for_whoever_takes_it(get: Callable[..., list[Answered]]) -> None:
    [page] = get("/how-it-counts")
    [zipped] = get("/how-it-counts", headers={**BROWSER, "Accept-Encoding": "gzip"})
    [plain] = get("/how-it-counts", headers={"Accept": "text/html"})

    assert page.headers["content-encoding"] == "br"
    assert brotli.decompress(page.body) == gzip.decompress(zipped.body) == plain.body
    assert "content-encoding" not in plain.headers
    for one in (page, zipped, plain):
        assert "Accept-Encoding" in one.headers["vary"]
        assert one.headers["content-length"] == str(len(one.body))


def test_a_page_that_may_hold_text_of_the_client_is_not_compressed(
    get: Callable[..., list[Answered]], browser: Browser
) -> None:
    """BREACH: its length would tell whether that text stands in the page a second time."""
    wrong = browser.send(
        "/login",
        {"csrf_token": browser.token_of("/login"), "username": "ada", "password": "no"},
        {"Accept-Encoding": "br"},
    )
    missing, data = get("/nothing", "/api/competitions")

    assert wrong.status_code == 401
    for headers in (dict(wrong.headers), missing.headers, data.headers):
        assert "content-encoding" not in {name.lower() for name in headers}
    with browser.client.get("/receipts?code=x", headers={**browser.headers, "Accept-Encoding": "br"}) as page:
        assert "Content-Encoding" not in page.headers
        assert "Accept-Encoding" in page.vary


def test_no_two_pages_show_the_same_token(browser: Browser, make_competition: Callable[..., Competition]) -> None:
    """So that its letters cannot be guessed one by one; each of them is good."""
    path = f"/vote/{make_competition().id}"

    first, second = browser.token_of(path), browser.token_of(path)

    assert first != second
    for one in (first, second):
        assert browser.send("/login", {"csrf_token": one, "username": "a", "password": "b"}).status_code == 401
        changed = ("1" if one[-1] == "0" else "0").join((one[:-1], ""))
        assert browser.send("/login", {"csrf_token": changed, "username": "a", "password": "b"}).status_code == 403
