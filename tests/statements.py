"""Every statement that `vote/db/` sends, found in its source: what a server is asked is what is looked at, nothing else.

A statement is a text that begins like one, in a function or in a table of statements (a dict), put together of literals and
of constants of its module; tests/unit/db/test_statements.py sees to it that there are no others.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import vote.db

DB = Path(vote.db.__file__).parent
SENDS = ("execute", "executemany", "fetch_value", "fetch_rows", "_stream")
BEGINS = re.compile(r"(\s|--[^\n]*\n|\()*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\s")
PLACE = re.compile(r"%%|%s|%\((\w+)\)s")


class Statement(NamedTuple):
    """A statement as it is sent. `name` is `module.function`; the second one of a function ends in `/2`."""

    name: str
    text: str

    @property
    def numbered(self) -> str:
        """With `$1`, `$2` … in place of the driver's marks; a name has one number wherever it stands."""
        return PLACE.sub(self._number, self.text)

    @property
    def places(self) -> int:
        """How many values it takes."""
        return max((int(number) for number in re.findall(r"\$(\d+)", self.numbered)), default=0)

    def _number(self, mark: re.Match[str]) -> str:
        if mark[0] == "%%":
            return "%"
        before = PLACE.findall(self.text[: mark.start()])
        if mark[1]:
            names = list(dict.fromkeys([*before, mark[1]]))
            return f"${names.index(mark[1]) + 1}"
        return f"${len(before) + 1}"


def statements() -> list[Statement]:
    """All of them, in the order of the source."""
    return [one for path in sorted(DB.glob("*.py")) for one in _of_module(path)]


def unseen() -> list[str]:
    """Where something is sent whose text this module cannot see: `module.function` of each."""
    seen = {one.name.partition("/")[0] for one in statements()}
    return sorted({name for path in DB.glob("*.py") for name in _sending(path)} - seen)


def _of_module(path: Path) -> Iterator[Statement]:
    module, tree = _loaded(path)
    for owner, nodes in _owners(tree):
        texts = [text for node in nodes for text in _texts(node, module) if BEGINS.match(text)]
        for number, text in enumerate(texts, 1):
            yield Statement(f"{path.stem}.{owner}" + (f"/{number}" if number > 1 else ""), text)


def _loaded(path: Path) -> tuple[dict[str, Any], ast.Module]:
    return vars(importlib.import_module(f"vote.db.{path.stem}")), ast.parse(path.read_text("utf-8"))


def _owners(tree: ast.Module) -> Iterator[tuple[str, list[ast.AST]]]:
    """Functions and methods by name, and the tables of statements of the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, [one for one in node.body if not _is_docstring(one)]
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict) and isinstance(node.target, ast.Name):
            yield node.target.id, list(node.value.values)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _texts(node: ast.AST, module: dict[str, Any]) -> Iterator[str]:
    """The texts in a piece of source, each as long as it can be put together."""
    if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Name):
        text = _put_together(node, module)
        if text is not None:
            yield text
            return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, module)


def _put_together(node: ast.AST, module: dict[str, Any]) -> str | None:
    match node:
        case ast.Constant(str(text)):
            return text
        case ast.Name(name) if name.isupper() and isinstance(module.get(name), str):
            return str(module[name])
        case ast.BinOp(left, ast.Add(), right):
            return _joined([left, right], module)
        case ast.JoinedStr(values):
            return _joined([one.value if isinstance(one, ast.FormattedValue) else one for one in values], module)
    return None


def _joined(nodes: list[ast.expr], module: dict[str, Any]) -> str | None:
    texts = [_put_together(node, module) for node in nodes]
    return None if None in texts else "".join(text for text in texts if text is not None)


def _sending(path: Path) -> Iterator[str]:
    for owner, nodes in _owners(ast.parse(path.read_text("utf-8"))):
        for node in (inner for outer in nodes for inner in ast.walk(outer)):
            if isinstance(node, ast.Call) and _called(node.func) in SENDS:
                yield f"{path.stem}.{owner}"


def _called(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )
