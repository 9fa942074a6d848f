"""Every line that the code writes, found in its source: its event, and the names of its fields."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import vote

LEVELS = ("info", "warning", "error", "critical", "exception")
CHOSEN = "log"  # `log = logger.error if … else logger.info`
ROOT = Path(vote.__file__).parent


class LoggedEvent(NamedTuple):
    """A call that writes a line. `opens` says that fields come from a dict too, which the source does not show."""

    place: str
    events: tuple[str, ...]
    fields: frozenset[str]
    opens: bool


def logged_events() -> list[LoggedEvent]:
    """All of them, in the order of the source."""
    return [event for path in sorted(ROOT.rglob("*.py")) for event in _of_module(path)]


def _of_module(path: Path) -> Iterator[LoggedEvent]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and _is_log_call(node.func):
            fields = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
            if isinstance(node.func, ast.Attribute) and node.func.attr == "exception":
                fields.add("exc_info")
            opens = any(keyword.arg is None for keyword in node.keywords)
            place = f"{path.relative_to(ROOT.parent)}:{node.lineno}"
            yield LoggedEvent(place, tuple(_texts(node.args[0], path)), frozenset(fields), opens)


def _is_log_call(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in LEVELS and isinstance(function.value, ast.Name) and function.value.id == "logger"
    return isinstance(function, ast.Name) and function.id == CHOSEN


def _texts(argument: ast.expr, path: Path) -> Iterator[str]:
    """The events of a call: a literal, either of two, or the two that a variable beside it has."""
    match argument:
        case ast.Constant(str(text)):
            yield text
        case ast.IfExp(body=first, orelse=second):
            yield from _texts(first, path)
            yield from _texts(second, path)
        case ast.Name(name):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Assign) and any(getattr(one, "id", "") == name for one in node.targets):
                    yield from _texts(node.value, path)
        case _:
            raise AssertionError(f"{path}: the event is not a literal")
