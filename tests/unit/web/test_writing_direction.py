"""Text that people write stands by itself wherever a template shows it: its direction of writing never meets our words."""

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[3] / "vote" / "web" / "templates"
PIECE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|<[^>{]*(?:\{[{%].*?[}%]\}[^>{]*)*>", re.DOTALL)
# What holds something that somebody typed, by its last name.
TYPED = re.compile(
    r"\b(?:(?:competition|vote|one|each|typed)\.name|label_of|\w+\.label|choice_label|(?:competition|option)\.description"
    r"|(?!errors)\b\w+\.username|(?!errors)\b\w+\.email|waiting_address|recipient|letter\.letter|sent_to|reason|\w+\.device|decider"
    r"|stored\[name\])(?![\w])"
)
NOT_SHOWN = re.compile(r"(?:field|moment|slip)\(")  # macros: what they write is looked at where they are
ALONE = {"choice", "label"}  # whole expressions that are such a text: the slip's choice, and labels of a loop
OURS = {
    "parts/competition-form.html": {"label"},  # among the audiences of results; the labels of options are in bdi
    "parts/forms.html": {"label"},  # the words beside a field
}


def unguarded(name: str) -> list[str]:
    """Expressions of people's text that are neither in an attribute, nor isolated, nor alone in a bdi or dir=auto."""
    found, before = [], ""
    for piece in PIECE.finditer(text := (TEMPLATES / name).read_text(encoding="utf-8")):
        words = piece[0]
        if words == "{% block description %}":
            before = '<meta dir="auto">'  # it is an attribute, in layout.html
            continue
        if words.startswith("{{"):
            expression = words[2:-2].strip()
            is_alone = expression in ALONE - OURS.get(name, set())
            is_typed = not NOT_SHOWN.match(expression) and (TYPED.search(expression) or is_alone)
            guarded = re.search(r'^<bdi>$|^<[^>]*\bdir="auto"[^>]*>$', before) and text[piece.start() - 1] in ">}“"
            if is_typed and not guarded and "isolated" not in expression:
                found.append(expression)
        if words.startswith("<"):
            before = words
    return found


@pytest.mark.parametrize("name", sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html")))
def test_every_text_that_people_write_is_isolated(name: str) -> None:
    assert unguarded(name) == []


def test_what_is_looked_for_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (
        '<h1>{{ competition.name }}</h1><p dir="auto">{{ option.label }}</p><p>“{{ one.name }}”</p><b>{{ choice }}</b>'
    )
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.TEMPLATES", tmp_path)

    assert unguarded("page.html") == ["competition.name", "one.name", "choice"]
