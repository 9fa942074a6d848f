"""Migrations leave people voting: squawk's rules and ours (`sql_rules.py`), each with a planted fault."""

import re
from pathlib import Path

import pytest

from tests.deploy.lint import sql_rules
from tests.deploy.lint.checkers import ROOT, squawk, tree
from tests.deploy.lint.released_migrations import PYTHON, RELEASED

MIGRATIONS = ROOT / "vote" / "db" / "migrations"
SEED = Path(__file__).parent / "seed" / "indexes.sql"
SKIPS = {
    "require-lock-timeout": "`vote migrate` sets it (tests/integration/db/test_migrate.py), and timeout-changed keeps it",
    "require-statement-timeout": "the same",
    "prefer-bigint-over-smallint": "shards are numbered as smallint in every table; there are at most 64",
}
ONLINE_SKIPS = SKIPS | {
    "prefer-robust-stmts": "it asks for IF NOT EXISTS, which keeps an unusable index: not-repeatable"
}


def findings(paths: list[Path]) -> dict[str, list[str]]:
    """What each file breaks, by its name: `<line> <rule> …`."""
    found: dict[str, list[str]] = {path.name: sql_rules.lint(path.name, path.read_text("utf-8")) for path in paths}
    online = [path for path in paths if path.name.endswith(sql_rules.ONLINE)]
    others = [path for path in paths if path not in online]
    lines = squawk(online, skips=ONLINE_SKIPS, in_transaction=False) if online else []
    lines += squawk(others, skips=SKIPS, in_transaction=True) if others else []
    for line in lines:
        name, _, rest = line.partition(":")
        found[Path(name).name].append(rest)
    return found


def rules(lines: list[str]) -> set[str]:
    """The names of the rules in some findings."""
    return {line.split()[1] for line in lines}


def test_no_migration_breaks_a_rule_but_those_released_before() -> None:
    paths = sorted(MIGRATIONS.glob("*.sql"))
    assert len(paths) >= 12

    found = findings(paths)

    new = {name: lines for name, lines in found.items() if rules(lines) - RELEASED.get(name, {}).keys()}
    assert new == {}
    assert {name: rules(lines) for name, lines in found.items() if lines} == {
        name: set(reasons) for name, reasons in RELEASED.items()
    }, "an entry of RELEASED that nothing needs any more"


def test_a_revision_leaves_its_sql_to_the_file() -> None:
    revisions = tree("vote/db/migrations/versions/0*.py")
    assert len(revisions) >= 12

    with_statements = {path.name for path in revisions if re.search(r"\bexecute|\bop\.", path.read_text("utf-8"))}

    assert with_statements == set(PYTHON)


def test_the_indexes_of_the_seed_are_refused(tmp_path: Path) -> None:
    planted = tmp_path / "0013_indexes.sql"
    planted.write_text(SEED.read_text("utf-8"), "utf-8")

    assert {"require-concurrent-index-creation", "several-locks"} <= rules(findings([planted])[planted.name])


CONTRACT = "-- contract: no code reads it since 0.2.0\n-- squawk-ignore ban-drop-column\n"
PLANTED = {
    # A large table is written anew, or read whole under a lock.
    "changing-column-type": "ALTER TABLE votes ALTER COLUMN choice TYPE varchar(1);",
    "adding-field-with-default": "ALTER TABLE votes ADD COLUMN key uuid DEFAULT gen_random_uuid();",
    "adding-not-nullable-field": "ALTER TABLE votes ALTER COLUMN changed_at SET NOT NULL;",
    "constraint-missing-not-valid": "ALTER TABLE votes ADD CONSTRAINT short CHECK (length(choice) = 1);",
    "adding-foreign-key-constraint": "ALTER TABLE ballots ADD CONSTRAINT voter FOREIGN KEY (user_id) REFERENCES users;",
    "disallowed-unique-constraint": "ALTER TABLE ballots ADD CONSTRAINT once UNIQUE (receipt);",
    "whole-table-write": "UPDATE votes SET changed_at = now();",
    "whole-table-write in a block": "DO $$ BEGIN DELETE FROM votes WHERE choice = 'z'; END $$;",
    "whole-table-read": "INSERT INTO settings (key, value) SELECT 'votes', count(*)::text FROM votes;",
    "table-rewrite": "ALTER TABLE votes SET UNLOGGED;",
    # An index is built, or dropped, while nobody may write.
    "require-concurrent-index-creation": "CREATE INDEX planted ON votes (choice);",
    "require-concurrent-index-deletion": "DROP INDEX idx_votes_created_at;",
    "not-in-transaction": "CREATE INDEX CONCURRENTLY IF NOT EXISTS planted ON votes (choice);",
    # A lock without a limit, or a second one.
    "timeout-changed": "SET lock_timeout = '1h';",
    "explicit-lock": "LOCK TABLE votes;",
    "several-locks": "ALTER TABLE users ADD COLUMN a text;\nALTER TABLE votes ADD COLUMN b text;",
    "transaction-nesting": "COMMIT;",
    "hidden-statement": "DO $$ BEGIN EXECUTE 'ALTER TABLE votes SET UNLOGGED'; END $$;",
    # The old code would not run on the new schema.
    "adding-required-field": "ALTER TABLE users ADD COLUMN a bigint NOT NULL;",
    "renaming-column": "ALTER TABLE users RENAME COLUMN email TO address;",
    "renaming-table": "ALTER TABLE users RENAME TO people;",
    "ban-drop-column": "ALTER TABLE users DROP COLUMN email;",
    "ban-drop-table": "DROP TABLE outbox;",
    "contract-too-early": CONTRACT.replace("0.2.0", "99.0.0") + "ALTER TABLE users DROP COLUMN email;",
    "unexplained-exception": "-- squawk-ignore ban-drop-column\nALTER TABLE users DROP COLUMN email;",
}


@pytest.mark.parametrize(("rule", "sql"), PLANTED.items(), ids=PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, rule: str, sql: str) -> None:
    planted = tmp_path / "0013_planted.sql"
    planted.write_text(f"-- Why.\n\n{sql}\n", "utf-8")

    assert rule.split(maxsplit=1)[0] in rules(findings([planted])[planted.name])


ONLINE = "DROP INDEX CONCURRENTLY IF EXISTS planted;\nCREATE INDEX CONCURRENTLY planted ON votes (choice);\n"
PLANTED_ONLINE = {
    "not-online": ONLINE + "UPDATE settings SET value = '1';\n",
    "not-repeatable": ONLINE.splitlines()[1] + "\n",
    "require-concurrent-index-creation": ONLINE.replace("INDEX CONCURRENTLY planted", "INDEX planted"),
}


@pytest.mark.parametrize(("rule", "sql"), PLANTED_ONLINE.items(), ids=PLANTED_ONLINE)
def test_a_fault_planted_in_an_online_file_is_found(tmp_path: Path, rule: str, sql: str) -> None:
    planted = tmp_path / "0013_planted_online.sql"
    planted.write_text(sql, "utf-8")

    assert rule in rules(findings([planted])[planted.name])


HARMLESS = {
    "0013_new.sql": "CREATE TABLE notes (id bigint PRIMARY KEY, of_user bigint REFERENCES users);\n"
    "CREATE INDEX notes_of_user ON notes (of_user);\nINSERT INTO notes (id) VALUES (1);\nUPDATE notes SET of_user = NULL;\n",
    "0013_wider.sql": "ALTER TABLE users ADD COLUMN a text, ADD COLUMN b bigint NOT NULL DEFAULT 0;\n"
    "GRANT SELECT (a) ON users TO vote_web;\nUPDATE settings SET value = '1; LOCK TABLE votes' WHERE key = 'x';\n",
    "0013_checked.sql": "ALTER TABLE votes ADD CONSTRAINT short CHECK (length(choice) = 1) NOT VALID;\n",
    "0013_index_online.sql": ONLINE,
    "0013_valid_online.sql": "ALTER TABLE votes VALIDATE CONSTRAINT short;\n",
    "0013_contract.sql": CONTRACT + "ALTER TABLE users DROP COLUMN email;\n",
    "0013_function.sql": "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n"
    "    UPDATE users SET role = 'admin';\nEND\n$$;\nREVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;\n",
}


@pytest.mark.parametrize(("name", "sql"), HARMLESS.items(), ids=HARMLESS)
def test_what_people_do_not_notice_is_allowed(tmp_path: Path, name: str, sql: str) -> None:
    (tmp_path / name).write_text(sql, "utf-8")

    assert findings([tmp_path / name]) == {name: []}
