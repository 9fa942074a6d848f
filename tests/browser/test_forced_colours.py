"""Bars and states that can be told apart where colours are the reader's own, and on paper. Measured from the pixels."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenWindow
from tests.browser.scenes import House
from tests.module_wide import database_url, environment, redis_url, stack
from vote.db import tallies
from vote.db.pool import Database
from vote.domain.competition import Competition
from vote.domain.person import Person

__all__ = ["database_url", "environment", "redis_url", "stack"]  # one system for the whole file
pytestmark = [pytest.mark.slow, pytest.mark.browser]

MakeCompetition = Callable[..., Competition]
Colour = tuple[int, int, int]

LEAST = 3.0  # WCAG 2.2 SC 1.4.11: graphical objects
TEXT_LEAST = 4.5  # SC 1.4.3
SCHEMES = ("light", "dark")
# The colours at places of a picture, as red, green and blue.
READ = """
async ([png, places]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
  pen.drawImage(image, 0, 0);
  return places.map(([x, y]) => [...pen.getImageData(Math.floor(x), Math.floor(y), 1, 1).data].slice(0, 3));
}
"""


def luminance(colour: Colour) -> float:
    """The relative luminance of WCAG."""
    red, green, blue = (
        part / 12.92 if (part := value / 255) <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for value in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """The contrast of WCAG, from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def colours(page: Page, places: list[tuple[float, float]]) -> list[Colour]:
    """What stands at these places of the page as it looks now. An empty window reads the picture: pages have a CSP."""
    picture = base64.b64encode(page.screenshot(full_page=True)).decode("ascii")
    blank = page.context.new_page()
    try:
        return [tuple(found) for found in blank.evaluate(READ, [picture, places])]
    finally:
        blank.close()


def box(locator: Locator) -> dict[str, float]:
    found = locator.bounding_box()
    assert found is not None
    return dict(found)


def bar_colours(page: Page, number: int) -> dict[str, Colour]:
    """What an option's bar looks like: at its beginning, in its middle, at its edge, and the sheet above it."""
    bar = box(page.locator(".bar").nth(number))
    middle, y = bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2
    places = {
        "part": (bar["x"] + bar["width"] * 0.03, y),
        "track": (middle, y),
        "edge": (middle, bar["y"] + 0.5),
        "sheet": (middle, bar["y"] - 2),
    }
    return dict(zip(places, colours(page, list(places.values())), strict=True))


@pytest.fixture
def one_of_sixteen(make_competition: MakeCompetition, owner: Database) -> Competition:
    """An option with 1 of 16 votes, one with the rest, one with none."""
    competition = make_competition(options=["One", "Fifteen", "None"])
    with owner.transaction(by="tests") as tx:
        tallies.add(tx, 0, {(competition.id, "a"): 1, (competition.id, "b"): 15})
    return competition


def check_bars(page: Page) -> None:
    """A part is told from its track, and the track from the sheet; an option with none looks empty."""
    for number in (0, 1):
        seen = bar_colours(page, number)
        track = seen["track"] if number == 0 else bar_colours(page, 0)["track"]
        assert contrast(seen["part"], track) >= LEAST, (number, seen)
        assert contrast(seen["edge"], seen["sheet"]) >= LEAST, (number, seen)
    empty = bar_colours(page, 2)
    assert empty["part"] == empty["track"]
    assert contrast(empty["edge"], empty["track"]) >= LEAST


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_bar_is_told_from_its_track_in_forced_colours(
    open_window: OpenWindow, one_of_sixteen: Competition, scheme: str
) -> None:
    page = open_window(forced_colors="active", color_scheme=scheme)
    page.goto(f"/results/{one_of_sixteen.id}")
    expect(page.locator(".bars .count").first).to_have_text("1 6.3 %")

    check_bars(page)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("forced", ["none", "active"])
def test_a_bar_is_told_from_its_track_on_paper(
    open_window: OpenWindow, one_of_sixteen: Competition, scheme: str, forced: str
) -> None:
    page = open_window(color_scheme=scheme, forced_colors=forced)
    page.goto(f"/results/{one_of_sixteen.id}")
    page.emulate_media(media="print")

    if forced == "none":
        assert bar_colours(page, 0)["sheet"] == (255, 255, 255), "paper is white, whatever the screen is"
    check_bars(page)


DOTS = """
([states]) => {
  document.querySelector("main").innerHTML = states
    .map((state) => `<p><span class="dot ${state}"></span></p>`)
    .join("");
  for (const { style } of document.querySelectorAll("main .dot")) {
    Object.assign(style, { display: "inline-block", width: "24px", height: "24px" });
  }
}
"""


def dots(page: Page) -> dict[str, tuple[bool, bool]]:
    """Which halves of each state's sign are filled; its ring must be seen."""
    states = ["open", "closing", "scheduled", "closed"]
    page.evaluate(DOTS, [states])
    found = {}
    for number, state in enumerate(states):
        dot = box(page.locator("main .dot").nth(number))
        y = dot["y"] + dot["height"] / 2
        xs = (dot["x"] + 7, dot["x"] + dot["width"] - 7, dot["x"] + 1, dot["x"] - 4)
        left, right, ring, around = colours(page, [(x, y) for x in xs])
        assert contrast(ring, around) >= LEAST, state
        found[state] = (contrast(left, around) >= LEAST, contrast(right, around) >= LEAST)
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("media", "forced"), [("screen", "active"), ("screen", "none"), ("print", "none"), ("print", "active")]
)
def test_the_signs_of_states_keep_their_shapes(
    open_window: OpenWindow, one_of_sixteen: Competition, scheme: str, media: Any, forced: str
) -> None:
    page = open_window(color_scheme=scheme, forced_colors=forced)
    page.goto("/how-it-counts")
    page.emulate_media(media=media)

    seen = dots(page)

    assert seen == {"open": (True, True), "closing": (True, False), "scheduled": (False, False), "closed": (True, True)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_to_be_pressed_and_chosen_is_seen_in_forced_colours(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person, scheme: str
) -> None:
    page = open_window(organiser, forced_colors="active", color_scheme=scheme)
    page.goto(f"/vote/{make_competition().id}")
    button = box(page.locator("[data-vote-button]"))
    left = button["x"] + 12, button["y"] + button["height"] / 2
    inside, outside, edge = colours(page, [left, (button["x"] - 6, left[1]), (button["x"] + 0.5, left[1])])
    assert contrast(inside, outside) >= LEAST, "what is pressed first stands out"
    assert contrast(edge, outside) >= LEAST

    page.get_by_role("radio").first.focus()
    focused = box(page.locator(".choice").first)
    page.keyboard.press("Space")
    ring = [(focused["x"] + x, focused["y"] + 4.5) for x in range(40, 80, 2)]
    backdrop = (focused["x"] + 60, focused["y"] + 14)
    *seen, behind = colours(page, [*ring, backdrop])
    assert any(contrast(one, behind) >= LEAST for one in seen), "the focus is seen on what is chosen, too"


def test_paper_has_neither_navigation_nor_forms(open_window: OpenWindow, house: House) -> None:
    for path in (
        "/",
        "/results/{logo}",
        "/results/{songs}",
        "/account",
        "/admin",
        "/admin/competitions/{draft}",
        "/login",
    ):
        page = open_window(None if path == "/login" else house.people["noor"])
        page.goto(path.format(**house.ids))
        page.emulate_media(media="print")

        for hidden in ("nav", "form:not(.cast)", "button", ".button", ".skip"):
            seen = [one for one in page.locator(hidden).all() if one.is_visible()]
            assert seen == [], (path, hidden)
        expect(page.locator("h1")).to_be_visible()
        if path.startswith("/results"):
            expect(page.locator(".bars .count").first).to_be_visible()


def test_a_ballot_paper_can_be_printed(open_window: OpenWindow, make_competition: MakeCompetition) -> None:
    page = open_window(color_scheme="dark")
    page.goto(f"/vote/{make_competition().id}")
    page.emulate_media(media="print")

    expect(page.locator(".choice").first).to_be_visible()
    label = box(page.locator(".choice .label").first)
    area = [(label["x"] + x, label["y"] + y) for x in range(0, 60) for y in range(4, 20, 2)]
    seen = colours(page, area)
    paper = max(set(seen), key=seen.count)
    assert paper == (255, 255, 255)
    assert max(contrast(one, paper) for one in seen) >= TEXT_LEAST


def test_paper_has_no_headings_of_forms_that_are_not_there(
    open_window: OpenWindow, make_competition: MakeCompetition, organiser: Person
) -> None:
    for path, left in (
        ("/account", ["Your votes and receipts", "Your details", "Devices"]),
        (f"/admin/competitions/{make_competition().id}", ["Audit log"]),
    ):
        page = open_window(organiser)
        page.goto(path)
        page.emulate_media(media="print")

        seen = [one.inner_text() for one in page.locator("h2, h3:not(.sheet h3)").all() if one.is_visible()]
        assert seen == left, path


def test_tables_and_figures_stay_in_rows_on_paper(
    open_window: OpenWindow, one_of_sixteen: Competition, organiser: Person, owner: Database
) -> None:
    with owner.transaction(by="tests") as tx:
        tallies.add(tx, 0, {(one_of_sixteen.id, "b"): 66_688_123})
    page = open_window(organiser, viewport={"width": 680, "height": 960})  # A4 within its margins
    page.goto("/admin")
    page.emulate_media(media="print")

    expect(page.locator("thead")).to_be_visible()
    name, state = box(page.locator("tbody th").first), box(page.locator("tbody td").first)
    assert name["x"] + name["width"] <= state["x"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 680
    assert len({box(one)["y"] for one in page.locator(".cards > .sheet").all()}) == 1
    assert len({box(one)["height"] for one in page.locator(".cards dd").all()}) == 1, "each figure stands in one line"

    page.goto(f"/results/{one_of_sixteen.id}")
    page.emulate_media(media="print")
    expect(page.locator(".figures-table tbody th").first).to_be_visible()
    assert page.locator(".figures-table summary").evaluate("one => getComputedStyle(one).listStyleType") == "none"
