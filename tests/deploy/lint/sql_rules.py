"""Rules for migrations that run while people vote, beside those of squawk: what it does not judge, and what is ours.

    python -m tests.deploy.lint.sql_rules vote/db/migrations/0013_*.sql

Each rule says what to do instead in CONTRIBUTING.md, under “Migrations while people vote”.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.deploy.lint.sql_statements import Statement, statements

ROOT = Path(__file__).parents[3]
ONLINE = "_online.sql"
NAME = r"(?:ONLY )?(?:public\.)?\"?(\w+)\"?"

CREATES_TABLE = re.compile(rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?{NAME}", re.IGNORECASE)
WRITES = re.compile(rf"^(?:WITH .*)?\b(?:UPDATE|DELETE FROM|TRUNCATE(?: TABLE)?) {NAME}", re.IGNORECASE)
WRITES_INSIDE = re.compile(rf"\b(?:UPDATE|DELETE\s+FROM)\s+{NAME}", re.IGNORECASE)
COPIES = re.compile(rf"^INSERT INTO .*\b(?:FROM|JOIN) {NAME}", re.IGNORECASE)
REWRITES = re.compile(
    rf"^(?:CLUSTER|VACUUM(?: \(?FULL\)?)?|REFRESH MATERIALIZED VIEW) {NAME}"
    rf"|^ALTER TABLE (?:IF EXISTS )?{NAME} .*\bSET (?:LOGGED|UNLOGGED|TABLESPACE|ACCESS METHOD)\b",
    re.IGNORECASE,
)
LOCKS_TABLE = re.compile(
    rf"^(?:ALTER TABLE (?:IF EXISTS )?|DROP TABLE (?:IF EXISTS )?){NAME}"
    rf"|^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON {NAME}"
    rf"|^(?:CREATE|DROP) (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*? ON {NAME}",
    re.IGNORECASE,
)
TIMEOUTS = re.compile(
    r"\b(?:RE)?SET\b[^;]*\b(?:lock|statement)_timeout|set_config\s*\(\s*'(?:lock|statement)_timeout", re.I
)
HIDDEN = re.compile(r"\bEXECUTE\b|\b(?:ALTER|CREATE|DROP|TRUNCATE|LOCK)\s+(?:TABLE|INDEX|UNIQUE|TRIGGER|\w+)", re.I)
ONLINE_STATEMENT = re.compile(
    r"^(?:CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?P<made>\w+) ON |DROP INDEX CONCURRENTLY IF EXISTS (?P<dropped>\w+)$"
    r"|REINDEX INDEX CONCURRENTLY |ALTER TABLE \w+ VALIDATE CONSTRAINT )",
    re.IGNORECASE,
)
IGNORES = re.compile(r"squawk-ignore(?P<file>-file)?(?:\s+(?P<rules>[\w,\s-]+))?")
CONTRACTS = ("ban-drop-column", "ban-drop-table", "renaming-column", "renaming-table")
CONTRACT = re.compile(r"^contract: .* since (\d+\.\d+\.\d+)\b")


def large_tables() -> set[str]:
    """Return the tables that grow with people and votes, as tests/integration/db/test_plans.py knows them."""
    tree = ast.parse((ROOT / "tests" / "integration" / "db" / "test_plans.py").read_text("utf-8"))
    values = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LARGE"
    ]
    return set(ast.literal_eval(values[0]))


LARGE = large_tables()


def released_versions() -> set[str]:
    """Return the versions of which the change log says that they are out."""
    return set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE))


def lint(name: str, sql: str) -> list[str]:
    """Return what breaks a rule, as `<line> <rule> <reason>`."""
    every = list(statements(sql))
    new = {match[1] for one in every if (match := CREATES_TABLE.match(one.text))}
    found = [f"{one.line} {text}" for one in every for rule in RULES for text in rule(one, new)]
    return found + (list(_online(every, sql)) if name.endswith(ONLINE) else list(_locks(every, new)))


def _existing(match: re.Match[str] | None, new: set[str]) -> str | None:
    """Return the table that the statement names, unless the file made it."""
    name = next((group for group in match.groups() if group), None) if match else None
    return name if name not in new else None


def _writes(one: Statement, new: set[str]) -> Iterator[str]:
    table = _existing(WRITES.match(one.text), new)
    if table in LARGE:
        yield f"whole-table-write {table} is large: change its rows in batches, each its own transaction"
    table = _existing(COPIES.match(one.text), new)
    if table in LARGE:
        yield f"whole-table-read {table} is large: copy its rows in batches"


def _rewrites(one: Statement, new: set[str]) -> Iterator[str]:
    if table := _existing(REWRITES.match(one.text), new):
        yield f"table-rewrite {table} would be written anew under an exclusive lock"


def _timeouts(one: Statement, new: set[str]) -> Iterator[str]:
    del new
    if TIMEOUTS.search(re.sub(r"--[^\n]*", "", one.source)):
        yield "timeout-changed `vote migrate` sets lock_timeout and statement_timeout"
    if re.match(r"LOCK\b", one.text, re.IGNORECASE):
        yield "explicit-lock a migration takes no more locks than its statements need"


def _hidden(one: Statement, new: set[str]) -> Iterator[str]:
    if not one.text.upper().startswith("DO "):
        return
    for body in one.bodies:
        if HIDDEN.search(body):
            yield "hidden-statement no checker sees what a DO block executes"
        tables = {match[1] for match in WRITES_INSIDE.finditer(body)} - new
        yield from (
            f"whole-table-write {table} is large, and a DO block is one transaction" for table in tables & LARGE
        )


def _exceptions(one: Statement, new: set[str]) -> Iterator[str]:
    del new
    for number, comment in enumerate(one.comments):
        if not (match := IGNORES.search(comment)):
            continue
        reason = one.comments[number - 1] if number else ""
        named = (match["rules"] or "").replace(",", " ").split()
        if match["file"] or not named:
            yield "unexplained-exception name the rules, above one statement"
        elif not reason or IGNORES.search(reason):
            yield "unexplained-exception the line above it must say why"
        elif set(named) & set(CONTRACTS):
            since = CONTRACT.match(reason)
            if since is None or since[1] not in released_versions():
                yield "contract-too-early the line above it must be `contract: … since <released version>`"


RULES: tuple[Callable[[Statement, set[str]], Iterator[str]], ...] = (
    _writes,
    _rewrites,
    _timeouts,
    _hidden,
    _exceptions,
)


def _locks(every: list[Statement], new: set[str]) -> Iterator[str]:
    """Refuse a second lock: the first is held until the end, while the second is waited for."""
    first = None
    for one in every:
        if re.search(r"\bCONCURRENTLY\b", one.text, re.IGNORECASE):
            yield f"{one.line} not-in-transaction CONCURRENTLY needs a file whose name ends in {ONLINE}"
            continue
        table = _existing(LOCKS_TABLE.match(one.text), new)
        if table and first not in (None, table):
            yield f"{one.line} several-locks {table} is locked while {first} stays locked: give it a file of its own"
            return
        first = first or table


def _online(every: list[Statement], sql: str) -> Iterator[str]:
    """Refuse what does not belong outside a transaction, and an index that a second try could not make."""
    dropped: set[str] = set()
    for one in every:
        match = ONLINE_STATEMENT.match(one.text)
        if match is None:
            yield f"{one.line} not-online only indexes and VALIDATE CONSTRAINT run outside a transaction"
        elif match["made"] and match["made"] not in dropped:
            yield f"{one.line} not-repeatable DROP INDEX CONCURRENTLY IF EXISTS {match['made']} must come before it"
        dropped |= {match["dropped"]} if match and match["dropped"] else set()
    if re.search(r";[ \t]*[^\s-]", sql):
        yield "1 not-online each statement ends its line, as vote/db/migrations/plain_sql.py reads it"


if __name__ == "__main__":
    lines = [f"{path}:{line}" for path in sys.argv[1:] for line in lint(path, Path(path).read_text("utf-8"))]
    print("\n".join(lines) or f"{len(sys.argv) - 1} files: nothing to say.")
    sys.exit(1 if lines else 0)
