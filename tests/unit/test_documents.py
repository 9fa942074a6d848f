"""The documents keep up with the code: change log, README, decisions, glossary, and every path they name."""

import re
from pathlib import Path
from typing import get_args

import pytest

from tests.unit.tree import ROOT, modules, named, pyproject, read, tracked
from vote.ballotlog.pending_ballot import CastResult
from vote.domain.competition import State, Visibility
from vote.domain.person import Role
from vote.ops.cli import COMMANDS

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)|!\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"#]+)\"")
ANCHOR = re.compile(r"\[[^\]]*\]\(([^)#\s:]*)#([^)\s]+)\)")
PLACE = re.compile(r"`((?:vote|tests|bench|deploy|docs)/[\w./-]*\w)(?::(\w+))?`")


def test_the_changelog_tells_of_this_version_or_the_next() -> None:
    version = pyproject()["project"]["version"]

    assert re.search(rf"^## \[(Unreleased|{re.escape(version)})\]", read("CHANGELOG.md"), re.MULTILINE)


def test_the_readme_lists_every_make_target_and_command() -> None:
    readme = read("README.md")
    targets = re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE)

    assert sorted(re.findall(r"^\| `make ([a-z-]+)` ", readme, re.MULTILINE)) == sorted(targets)
    assert sorted(re.findall(r"^\| `vote ([a-z]+)` ", readme, re.MULTILINE)) == sorted(COMMANDS)


def decisions() -> list[Path]:
    """The decision records."""
    return sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


@pytest.mark.parametrize("path", decisions(), ids=lambda path: path.name)
def test_a_decision_is_complete_and_in_the_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    assert headings == ["Context", "Decision", "Consequences"]
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.search(r"^Status: (accepted|accepted, not built yet|superseded by \[\d+\].*)$", text, re.MULTILINE)
    assert f"]({path.name})" in read("docs/adr/README.md")


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.name[:4] for path in decisions()]

    assert len(set(numbers)) == len(numbers)


def test_the_glossary_has_every_word_of_the_code() -> None:
    explained = {
        word
        for cell in re.findall(r"^\| \*\*(.+?)\*\*", read("docs/glossary.md"), re.MULTILINE)
        for word in cell.split("**, **")
    }
    in_code = {*get_args(State), *get_args(Visibility), *get_args(Role), *get_args(CastResult)}
    tables_and_log = {"competition", "ballot", "vote", "tally", "receipt", "snapshot", "journal", "revision", "revoked"}
    tables_and_log |= {
        "ballot log",
        "shard",
        "entry",
        "position",
        "epoch",
        "instance",
        "cold",
        "gap",
        "marker",
        "rules",
    }
    told = {"accepted", "recorded", "rules version", "unmatched", "rejected"}

    assert in_code | tables_and_log | told <= explained


def test_every_rule_that_the_code_names_is_written_down() -> None:
    sources = [*modules(), *(ROOT / "vote").rglob("*.lua"), *(ROOT / "vote").rglob("*.sql")]
    in_code = {int(rule) for path in sources for rule in re.findall(r"\bR(\d{1,2})\b", path.read_text("utf-8"))}

    written = [int(rule) for rule in re.findall(r"^### R(\d+) ", read("docs/protocol.md"), re.MULTILINE)]

    assert written == list(range(1, 12))
    assert in_code <= set(written)


def documents() -> list[Path]:
    """Every Markdown file that git knows."""
    return tracked("*.md")


@pytest.mark.parametrize("path", documents(), ids=named)
def test_a_document_points_at_what_is_there(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [next(filter(None, groups)) for groups in LINK.findall(text)]
    files = [target for target in targets if not re.match(r"[a-z]+:", target)]

    missing = [target for target in files if not (path.parent / target).exists()]
    missing += [name for name, _ in PLACE.findall(text) if not (ROOT / name).exists()]
    missing += [
        f"{name}:{symbol}"
        for name, symbol in PLACE.findall(text)
        if symbol and (ROOT / name).exists() and not re.search(rf"\b{symbol}\b", read(name))
    ]

    assert missing == []


@pytest.mark.parametrize("path", documents(), ids=named)
def test_a_link_into_a_document_finds_its_heading(path: Path) -> None:
    dead = [
        f"{name}#{anchor}"
        for name, anchor in ANCHOR.findall(path.read_text(encoding="utf-8"))
        if anchor not in anchors(path.parent / name if name else path)
    ]

    assert dead == []


def anchors(path: Path) -> set[str]:
    """Return what a link into a document may name: its headings as GitHub writes them, and anchors set by hand."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings]
    return {word.lower().replace(" ", "-") for word in words} | set(re.findall(r"id=\"([^\"]+)\"", text))
