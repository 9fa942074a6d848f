"""Checks lines of the log against docs/logs.schema.json: every line that the processes of the suite have written.

Which kind of line it is depends on part and event alone. So for each pair the conditions of the schema are decided once, and
what remains is a small schema: a whole evening of a test costs a second.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

PATH = Path(__file__).parents[1] / "docs" / "logs.schema.json"
SHOWN = 20
DECIDE = {"part", "event"}  # all that a condition of the schema may ask for


@cache
def schema() -> dict[str, Any]:
    """The schema as it is published."""
    read: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return read


def kind_of(part: object, event: object) -> list[dict[str, Any]]:
    """The kinds of line that this part and event make: one, in a schema without holes."""
    told = {"part": part, "event": event}
    return [kind for kind in schema()["allOf"] if Draft202012Validator(kind["if"]).is_valid(told)]


@cache
def _validator(part: str, event: str) -> Draft202012Validator:
    kinds = kind_of(part, event)
    assert all(kind["if"]["properties"].keys() <= DECIDE for kind in schema()["allOf"])
    decided = [kind["then"] for kind in kinds] or [
        {"not": {}, "description": "no kind of line has this part and event"}
    ]
    return Draft202012Validator({**schema(), "allOf": decided})


def problems_of(line: object) -> Iterator[str]:
    """What is wrong with a line, if anything."""
    if not isinstance(line, dict):
        yield "not an object"
        return
    validator = _validator(str(line.get("part")), str(line.get("event")))
    for error in validator.iter_errors(line):
        yield f"{'.'.join(map(str, error.absolute_path)) or 'line'}: {error.message}"


def wrong_lines(texts: Iterable[str]) -> Iterator[str]:
    """Each text that is no valid line, with the reasons."""
    for text in texts:
        if not (text.isascii() and text.isprintable()):
            yield f"{text!r}: not printable ASCII"
            continue
        try:
            line = json.loads(text)
        except ValueError:
            yield f"{text!r}: not JSON"
            continue
        if found := list(problems_of(line)):
            yield f"{text}: {'; '.join(found)}"


def check(path: Path) -> int:
    """Fail unless each line of a file is valid. Returns how many there are."""
    lines = path.read_text("utf-8").splitlines()
    wrong = list(wrong_lines(lines))
    assert not wrong, f"{len(wrong)} of {len(lines)} lines of {path.name} do not satisfy {PATH.name}:\n" + "\n".join(
        wrong[:SHOWN]
    )
    return len(lines)
