"""An expansion of the test's own, for when no migration lies between the two releases: it would prove nothing then."""

from tests.deploy.upgrade.releases import Release

EXPANDED = ("users", "competitions", "votes", "ballots")  # read and written by both, webs and workers
COLUMN = "ALTER TABLE {table} ADD COLUMN upgrade_test text;\n"
INDEX = """DROP INDEX CONCURRENTLY IF EXISTS votes_upgrade_test;
CREATE INDEX CONCURRENTLY votes_upgrade_test ON votes (choice, upgrade_test);
"""


def expand(old: Release, new: Release) -> str:
    """Add columns and an index to the migrations of `new` where they are those of `old`. Returns what the new schema has."""
    if new.migrations != old.migrations:
        return "the migrations of this release"
    for table in EXPANDED:
        new.add_migration(f"upgrade_test_{table}", COLUMN.format(table=table))
    new.add_migration("upgrade_test_online", INDEX)
    return "an expansion of the test's own, since no migration lies between the two"
