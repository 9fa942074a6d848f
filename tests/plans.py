"""Plans of statements as PostgreSQL makes them, and what in a plan would grow with a large table."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg.errors import Diagnostic

from tests.statements import Statement

MANY = 0.1  # a scan that finds more of a table than this reads it whole
MOST_SORTED = 3_000  # rows; beyond, an index should have had them in order
SCANS = {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan"}
EXPLAIN_FUNCTIONS = """
    LOAD 'auto_explain';
    SET auto_explain.log_min_duration = 0;
    SET auto_explain.log_nested_statements = on;
    SET auto_explain.log_format = json;
    SET auto_explain.log_level = notice;
    SET plan_cache_mode = force_generic_plan;
    SET session_replication_role = origin;
"""

Plan = dict[str, Any]


class Values(NamedTuple):
    """How a statement is planned whose text alone says too little: the types of its values, and typical ones."""

    types: Sequence[str] = ()
    typical: Sequence[str] = ()


class Planner:
    """Plans for one database with the tables `large`. Its connection is a superuser's, and prepares nothing by itself."""

    def __init__(self, connection: "psycopg.Connection[Any]", large: set[str]) -> None:
        self._connection = connection
        rows = connection.execute("SELECT relname, reltuples FROM pg_class WHERE relkind IN ('r', 'i')").fetchall()
        self._large, self._rows = large, dict(rows)

    def faults(self, statement: Statement, values: Values) -> list[str]:
        """What in its plan would grow. With typical values it is planned for them, else for any."""
        self._connection.execute(f"SET plan_cache_mode = force_{'custom' if values.typical else 'generic'}_plan")
        types = f"({', '.join(values.types)})" if values.types else ""
        self._connection.execute(f"PREPARE one{types} AS {statement.numbered}")
        try:
            given = ", ".join(values.typical or ["NULL"] * statement.places)
            row = self._connection.execute(
                f"EXPLAIN (FORMAT JSON) EXECUTE one{f'({given})' if given else ''}"
            ).fetchone()
        finally:
            self._connection.execute("DEALLOCATE one")
        assert row is not None
        return list(dict.fromkeys(self._judged(row[0][0]["Plan"], skips=" OFFSET " in statement.text)))

    def faults_inside(self, call: str) -> list[str]:
        """The same for every statement that a call makes in functions and triggers. It is undone."""
        with self._overheard() as plans, self._connection.transaction(force_rollback=True):
            self._connection.execute(call)
        assert len(plans) > 1, f"{call} ran nothing inside"
        return list(dict.fromkeys(fault for plan in plans for fault in self._judged(plan)))

    @contextmanager
    def _overheard(self) -> Iterator[list[Plan]]:
        plans: list[Plan] = []

        def hear(told: Diagnostic) -> None:
            text = told.message_primary or ""
            if "plan:" in text:
                plans.append(json.loads(text.partition("plan:")[2])["Plan"])

        self._connection.execute(EXPLAIN_FUNCTIONS)
        self._connection.add_notice_handler(hear)
        yield plans
        self._connection.remove_notice_handler(hear)
        self._connection.execute("RESET ALL")

    def _judged(self, plan: Plan, *, skips: bool = False) -> Iterator[str]:
        """With `skips`, how far a LIMIT lets it go is not known."""
        for node, above in _nodes(plan):
            if node["Node Type"] == "Sort" and node["Plans"][0]["Plan Rows"] > MOST_SORTED:
                yield f"sorts {node['Plans'][0]['Plan Rows']} rows"
            table = _scanned(node, above)
            is_short = _is_bounded(above) and "Filter" not in node and not skips
            if table in self._large and not is_short:
                yield from self._judged_scan(node, table)

    def _judged_scan(self, node: Plan, table: str) -> Iterator[str]:
        many = MANY * self._rows[table]
        if node["Node Type"] == "Seq Scan":
            yield f"reads all of {table}"
        elif "Index Cond" in node and node["Plan Rows"] > many:
            yield f"finds {node['Plan Rows']} rows of {table} where {node['Index Cond']}"
        elif "Index Cond" not in node and self._rows[node["Index Name"]] > many:  # an index of a small part may be read
            yield f"reads all of {node['Index Name']}"


def _nodes(node: Plan, above: tuple[Plan, ...] = ()) -> Iterator[tuple[Plan, tuple[Plan, ...]]]:
    yield node, above
    for child in node.get("Plans", []):
        yield from _nodes(child, (*above, node))


def _scanned(node: Plan, above: tuple[Plan, ...]) -> str | None:
    """The table that a node reads. The heap's part of a bitmap scan reads what the index's part found."""
    if node["Node Type"] not in SCANS:
        return None
    named = [one["Relation Name"] for one in (*above, node) if "Relation Name" in one]
    return named[-1] if named else None


def _is_bounded(above: tuple[Plan, ...]) -> bool:
    """Whether a LIMIT stops the scan: nothing stands between that takes in everything first."""
    for node in reversed(above):
        if node["Node Type"] == "Limit":
            return True
        if node["Node Type"] not in ("LockRows", "Nested Loop", "Memoize"):
            return False
    return False
