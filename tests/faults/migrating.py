"""Faults of migrating while people vote: locks that are held or waited for without end, and no way back."""

from tests.faults.fault import Fault

MIGRATE = "vote/db/migrate.py"
TESTS = "tests/integration/db/test_migrate.py"

MIGRATION_FAULTS = (
    Fault(
        "a migration waits for a lock without end",
        "voting goes on while a migration waits",
        MIGRATE,
        '{"lock": LOCK_TIMEOUT,',
        '{"lock": "0",',
        (f"{TESTS}::test_a_migration_runs_with_a_lock_timeout_and_a_statement_timeout",),
    ),
    Fault(
        "a migration works on a table without end",
        "voting goes on while a migration works",
        MIGRATE,
        'STATEMENT_TIMEOUT = "2s"',
        'STATEMENT_TIMEOUT = "0"',
        (f"{TESTS}::test_a_migration_runs_with_a_lock_timeout_and_a_statement_timeout",),
    ),
    Fault(
        "a migration tries only once",
        "a table that somebody reads for a moment stops no upgrade",
        MIGRATE,
        "for pause_s in RETRY_PAUSES_S:",
        "for pause_s in RETRY_PAUSES_S[:0]:",
        (f"{TESTS}::test_a_migration_that_finds_a_table_locked_tries_again",),
    ),
    Fault(
        "an older version refuses the schema of the next one",
        "the code can be rolled back over an expanded schema",
        MIGRATE,
        "if before is not None and before > newest():",
        "if before is None:",
        (f"{TESTS}::test_a_schema_that_a_newer_version_has_expanded_stays_as_it_is",),
    ),
    Fault(
        "an online migration runs in a transaction",
        "indexes are built while people vote",
        "vote/db/migrations/plain_sql.py",
        "if not name.endswith(ONLINE):",
        "if name:",
        (f"{TESTS}::test_an_online_index_that_was_left_half_built_is_built_again",),
    ),
)
