"""No statement is built from what somebody sent: values travel beside it, names are quoted by the library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SENDS = ("execute", "executemany", "fetch_value", "fetch_rows", "copy", "stream")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_fixed(node: ast.expr) -> bool:
    """A text without holes, or whose holes are constants of its module or numbers."""
    match node:
        case ast.Constant() | ast.Name() | ast.Attribute() | ast.Call():
            return True  # a name: see `built`; a call: of psycopg's `sql`, see `calls`
        case ast.BinOp(left, ast.Add(), right):
            return all(isinstance(one, ast.Constant) or is_constant(one) for one in (left, right))
        case ast.JoinedStr(values):
            return all(isinstance(one, ast.Constant) or is_hole(one) for one in values)
    return False


def is_hole(node: ast.expr) -> bool:
    match node:
        case ast.FormattedValue(ast.Call(ast.Name("int"))):
            return True
        case ast.FormattedValue(value):
            return is_constant(value)
    return False


def is_constant(node: ast.expr) -> bool:
    """A name in capitals: made when its module is imported, of nothing that anybody sent."""
    return isinstance(node, ast.Name) and node.id.lstrip("_").isupper()


def built(tree: ast.AST) -> Iterator[int]:
    """Lines where a statement has other holes than that."""
    texts: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            first = node.args[0]
            sent = texts.get(first.id, []) if isinstance(first, ast.Name) else [first]
            if node.func.attr in SENDS and not all(is_fixed(one) for one in sent):
                yield node.lineno
            if node.func.attr == "SQL" and not isinstance(first, ast.Constant | ast.Name):
                yield node.lineno


@pytest.mark.parametrize("path", sorted((ROOT / "vote").rglob("*.py")), ids=named)
def test_no_statement_is_built_of_text(path: Path) -> None:
    assert list(built(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    [
        'tx.execute(f"SELECT {name}")',
        'tx.execute("SELECT " + name)',
        'tx.execute("SELECT %s" % name)',
        'query = f"SELECT {name}"\ntx.execute(query)',
        'tx.execute(sql.SQL(f"SELECT {name}"))',
    ],
)
def test_the_check_sees_a_built_one(line: str) -> None:
    assert list(built(ast.parse(line))) != []
