"""The vote arrives whatever the browser lacks of what the scripts use: each feature is taken away in turn.

What the scripts use is read out of them and looked up in the browser: every global, and every function that they call. So a
script that begins to use another feature is tried without it, and nobody has to think of that.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import log_in, window
from tests.module_wide import database_url, environment, redis_url, stack
from tests.stack import Stack, wait_until
from vote.config import Settings
from vote.db import votes
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition
from vote.web.assets import FOLDER

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = [pytest.mark.slow, pytest.mark.browser]

NOT_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)
WORD = re.compile(r"(?<![\w$.])[A-Za-z_$][\w$]*")
MEMBER = re.compile(r"\??\.([A-Za-z_$][\w$]*)\(")
DEFINED = re.compile(r"^\s*(?:async |get )?(\w+)\([^()]*\) \{$", re.MULTILINE)
# Nobody can take these away; and every browser that runs a module has ECMAScript 2015.
IN_EVERY_BROWSER = frozenset(
    re.findall(
        r"\w+",
        """document location window undefined console
        Boolean Date Error JSON Map Math Number Object Promise Set String TypeError Intl encodeURIComponent
        abs add catch entries filter floor forEach get getDate getFullYear getHours getMinutes getMonth getSeconds getTime
        has join keys map match max min now parse random reduce replace resolve round set slice some split test then
        toLowerCase toUpperCase trim race toLocaleTimeString assign reload isNaN""",
    )
)
OUR_OWN_WORDS = frozenset(
    {"closed", "constructor", "event", "length", "name", "number", "open", "parent", "status", "stop", "top"}
)
# Interfaces whose functions the scripts call, and objects of the language that have grown since.
HOLDERS = re.findall(
    r"\w+",
    """AbortController Array CSS Clipboard CustomEvent DOMParser Document DocumentFragment Element Event EventTarget Headers
    HTMLElement HTMLFormElement History Intl Location Node Object Performance Promise Response Storage String WebSocket""",
)

FIND = """([words, members, holders]) => {
  const isFunction = (it, name) => typeof Object.getOwnPropertyDescriptor(it, name)?.value === "function";
  const found = words.filter((name) => name in window);
  for (const holder of holders) {
    const it = window[holder];
    for (const name of members) {
      if (isFunction(it, name)) found.push(`${holder}.${name}`);
      if (it.prototype && isFunction(it.prototype, name)) found.push(`${holder}.prototype.${name}`);
    }
  }
  return found;
}"""

MISSING = """(([holder, name]) => {
  const it = holder.split(".").filter(Boolean).reduce((at, step) => at[step], window);
  delete it[name];
  if (name in it) Object.defineProperty(it, name, { configurable: true, get: () => undefined });
})(%s)"""
STORAGE = "Object.defineProperty(window, 'sessionStorage', {get() { %s }})"
BROKEN = {  # there, and of no use
    "sessionStorage is null": STORAGE % "return null",
    "sessionStorage is forbidden": STORAGE % "throw new DOMException('x', 'SecurityError')",
    "sessionStorage is full": "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }",
    "fetch throws": "window.fetch = () => { throw new TypeError('x') }",
    "fetch gives no promise": "window.fetch = () => undefined",
    "an answer cannot be read": "Response.prototype.json = () => { throw new TypeError('x') }",
    "AbortController throws": "window.AbortController = function () { throw new TypeError('x') }",
    "timers throw": "window.setTimeout = () => { throw new TypeError('x') }",
    "WebSocket is forbidden": "window.WebSocket = function () { throw new DOMException('x', 'SecurityError') }",
    "Intl throws": "Intl.NumberFormat = Intl.DateTimeFormat = function () { throw new RangeError('x') }",
    "pages cannot be taken apart": "DOMParser.prototype.parseFromString = () => { throw new TypeError('x') }",
    "nothing can be announced": "document.dispatchEvent = () => { throw new TypeError('x') }",
    "nothing can be scrolled": "window.scrollTo = () => { throw new TypeError('x') }",
}


class Lack(NamedTuple):
    """What a browser lacks, and the script that makes it so."""

    name: str
    script: str


def lack(feature: str) -> Lack:
    holder, _, name = feature.rpartition(".")
    return Lack(feature, MISSING % f'["{holder}", "{name}"]')


def used_features(page: Page) -> list[str]:
    """What the scripts use of the browser and of the language's library, as this browser has it."""
    text = NOT_CODE.sub(" ", "\n".join(path.read_text("utf-8") for path in sorted((FOLDER / "js").glob("*.js"))))
    words = set(WORD.findall(text)) - IN_EVERY_BROWSER - OUR_OWN_WORDS
    members = set(MEMBER.findall(text)) - IN_EVERY_BROWSER
    page.goto("/how-it-counts")
    every = page.evaluate("Object.getOwnPropertyNames(window).filter((name) => /^[A-Z]/.test(name) && window[name])")
    found, anywhere = (
        set(page.evaluate(FIND, [sorted(words), sorted(members), holders])) for holders in (HOLDERS, every)
    )
    called = {one.rpartition(".")[2] for one in found} | set(DEFINED.findall(text))
    assert {one for one in anywhere if one.rpartition(".")[2] not in called} == set(), "an interface is missing above"
    return sorted(found)


def test_the_vote_arrives_whatever_the_browser_lacks(
    browser: Browser,
    stack: Stack,
    settings: Settings,
    owner: Database,
    make_user: Callable[..., Account],
    make_competition: Callable[..., Competition],
    subtests: pytest.Subtests,
) -> None:
    voter = make_user()
    with window(browser, stack.url) as context:
        found = used_features(context.new_page())
    assert {"AbortController", "fetch", "sessionStorage", "URLSearchParams", "WebSocket"} <= set(found)
    assert {"Element.prototype.closest", "Storage.prototype.setItem", "Array.prototype.at"} <= set(found)
    cast_in: dict[str, int] = {}

    for one in [*map(lack, found), *(Lack(*item) for item in BROKEN.items())]:
        with subtests.test(one.name), window(browser, stack.url) as context:
            path = f"/vote/{cast_in.setdefault(one.name, make_competition().id)}"
            log_in(context, stack.url, settings, voter.id)
            context.add_init_script(one.script)
            page = context.new_page()
            page.goto(path)
            page.get_by_text("River stage").click()
            page.locator("[data-vote-button]").click()

            expect(page.locator("[data-slip]")).to_be_visible(timeout=30_000)
            assert page.url.endswith(path)
    wait_until(
        lambda: [name for name, number in cast_in.items() if choice(owner, number, voter) != "a"] == [],
        what="every vote is recorded",
    )


def choice(db: Database, competition: int, voter: Account) -> str | None:
    with db.read() as tx:
        return votes.choice_of(tx, competition, voter.id)
