"""What migrations break that were released before the rules, and why that stays. Never add one: split the migration instead.

A released migration is never changed: most installations have run it, and another text would give them another schema. These
ran, or will run, while the web is stopped, as `docs/how-to/upgrade.md` of version 0.2.0 asks; `vote migrate` therefore gives
them no statement_timeout (`vote/db/migrate.py:UNTIMED_UP_TO`).
"""

FIRST_SCHEMA = "it makes the schema in an empty database, where nobody waits"
SMALL_THEN = "the table had a few thousand rows, and the build takes milliseconds"
STOPPED = "it needs the table to itself; the web is stopped for it"
COUNTED = "it counts far below two thousand million; numbers that leave the database became bigint in 0008"

RELEASED: dict[str, dict[str, str]] = {
    "0001_initial.sql": {
        "prefer-bigint-over-int": COUNTED,
        "hidden-statement": "roles belong to the cluster and may exist: CREATE ROLE has no IF NOT EXISTS",
    },
    "0002_people.sql": {
        "require-concurrent-index-creation": SMALL_THEN,
        "several-locks": "both statements take milliseconds",
    },
    "0003_unused_accounts.sql": {
        "prefer-bigint-over-int": COUNTED,
        "whole-table-read": "it gives each account a day to begin with; it writes a table that no code knew before",
    },
    "0004_logins.sql": {"prefer-bigint-over-int": COUNTED},
    "0006_growth.sql": {
        "require-concurrent-index-creation": SMALL_THEN,
        "several-locks": STOPPED,
    },
    "0008_numbers.sql": {
        "adding-foreign-key-constraint": "the column is new and empty",
        "ban-alter-identity": "numbers are drawn at random from here on, and no code named the identity",
        "ban-drop-function": "the functions are made again below, with another type of argument",
        "changing-column-type": STOPPED,
        "constraint-missing-not-valid": STOPPED,
        "require-concurrent-index-creation": "the column is new and empty",
        "several-locks": STOPPED,
    },
    "0009_idempotency_keys.sql": {"require-concurrent-index-creation": SMALL_THEN},
    "0010_promises.sql": {"require-concurrent-index-creation": "the column is new and empty"},
    "0011_folding.sql": {
        "constraint-missing-not-valid": STOPPED,
        "require-concurrent-index-creation": STOPPED,
        "require-concurrent-index-deletion": STOPPED,
        "several-locks": STOPPED,
        "whole-table-write": "unique keys need the key of every address at once",
    },
    "0012_pages_of_lists.sql": {"require-concurrent-index-creation": SMALL_THEN},
}

# Revisions with statements of their own, which no checker of SQL files sees.
PYTHON: dict[str, str] = {"0011_folding.py": "international addresses fold by rules that SQL does not know"}
