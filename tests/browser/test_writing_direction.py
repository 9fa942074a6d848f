"""Names and options in Hebrew, Arabic, or with controls of direction in them: each stands by itself on every page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import OpenWindow
from tests.browser.test_results import snapshot
from tests.module_wide import database_url, environment, redis_url, stack
from vote.db.pool import Database
from vote.db.users import Account
from vote.domain.competition import Competition

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = [pytest.mark.slow, pytest.mark.browser]

NAME = "האם להמשיך?"
OPTIONS = ["כן (100%)", "Yes"]
OVERRIDE = "\u202eyeN"  # as it may be stored from before such characters were refused

# Texts that share a line of writing with other words: those whose nearest isolated ancestor holds more than themselves.
TOUCHING = """
(texts) => {
  const touching = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = texts.find((one) => node.data.includes(one));
    if (!text || node.parentElement.closest("script, template, noscript")) continue;
    if (node.data.includes(`\u2068${text}\u2069`)) continue; // where no element can stand
    let holder = node.parentElement;
    while (!["isolate", "plaintext", "isolate-override"].includes(getComputedStyle(holder).unicodeBidi)
           && getComputedStyle(holder).display === "inline") holder = holder.parentElement;
    const isOwn = holder.textContent.trim() === text && (holder.dir === "auto" || holder.tagName === "BDI");
    if (!isOwn) touching.push(`${holder.outerHTML.slice(0, 120)}`);
  }
  return touching;
}
"""


def left_of(page: Page, text: str, part: str) -> float:
    """Where a part of the first text on the page is drawn, in pixels from the left."""
    place: float = page.evaluate(
        """
        ([text, part]) => {
          const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const at = node.data.indexOf(text);
            if (at < 0 || !node.parentElement.getClientRects().length) continue;
            const range = document.createRange();
            range.setStart(node, at + text.indexOf(part));
            range.setEnd(node, at + text.indexOf(part) + part.length);
            return range.getBoundingClientRect().left;
          }
          return -1;
        }
        """,
        [text, part],
    )
    return place


def test_hebrew_is_laid_out_from_right_to_left_and_touches_no_words_of_ours(
    open_window: OpenWindow, make_competition: Callable[..., Competition], make_user: Callable[..., Account]
) -> None:
    voter, chief = open_window(make_user().person), open_window(make_user(role="admin").person)
    one = make_competition(name=NAME, options=OPTIONS, description=NAME, allow_change=True)
    texts = [NAME, *OPTIONS[:1]]

    def look(page: Page, path: str) -> None:
        page.goto(path)
        assert page.evaluate(TOUCHING, texts) == [], path

    look(voter, "/")
    look(voter, f"/vote/{one.id}?choice=a")
    button = voter.get_by_role("button", name="Vote for")
    expect(button.locator("bdi")).to_have_text(OPTIONS[0])
    assert left_of(voter, NAME, "?") < left_of(voter, NAME, "האם"), "the question mark ends the sentence, at its left"
    label = OPTIONS[0]
    assert left_of(voter, label, "(") < left_of(voter, label, "כן"), "brackets stand after the word, at its left"
    assert voter.title().startswith(f"\u2068{NAME}\u2069")
    button.click()
    expect(voter.get_by_role("heading", name="Your vote is recorded")).to_be_visible()
    assert voter.evaluate(TOUCHING, texts) == []
    look(voter, f"/vote/{one.id}")
    look(voter, f"/results/{one.id}")
    look(voter, "/account")
    for path in ("", f"/competitions/{one.id}", f"/competitions/{one.id}/close"):
        look(chief, f"/admin{path}")


@pytest.mark.parametrize("javascript", [True, False])
def test_an_override_ends_with_the_option_it_stands_in(
    open_window: OpenWindow, make_competition: Callable[..., Competition], owner: Database, javascript: bool
) -> None:
    one = make_competition(options=["X", "Y"])
    with owner.transaction(by="tests") as tx:
        tx.execute("UPDATE options SET label = %s WHERE competition_id = %s AND key = 'a'", (OVERRIDE, one.id))
        if not javascript:
            tx.execute("UPDATE competitions SET status = 'closed', closed_at = now() WHERE id = %s", (one.id,))
            tx.execute("INSERT INTO tallies VALUES (%s, 0, 'a', 3, 3)", (one.id,))
    page = open_window(javascript=javascript)
    if javascript:
        page.route_web_socket("**/live/*", lambda socket: _close(socket, one.id))
    page.goto(f"/results/{one.id}")

    verdict = page.locator("[data-verdict]")
    expect(verdict).to_contain_text(", 3 of ")
    words = ", 3 of "
    assert left_of(page, words, "3") < left_of(page, words, "of"), "our words run as they are written"


def _close(socket: WebSocketRoute, competition: int) -> None:
    socket.send(snapshot(competition, 10**15, 3, 1, state="closed"))
