"""One folding of names and addresses, an admin always stays, and addresses that were left in the middle of a vote."""

import structlog
from alembic import op
from psycopg import Connection

from vote.db.migrations.plain_sql import apply
from vote.domain.folding import email_key

revision = "0011"
down_revision = "0010"

logger = structlog.get_logger()


def upgrade() -> None:
    """Fold what there is, then have the indexes follow it. Accounts that become one are told of by number, never by name."""
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, Connection)
    _rename_twins(driver)
    _fold_addresses(driver)
    apply("0011_folding.sql")
    for (user_id,) in driver.execute("SELECT id FROM users WHERE email_key LIKE '% of account %'").fetchall():
        logger.warning(
            "address shared", user_id=user_id, reason="an older account has the same address, and gets its mail"
        )


def _rename_twins(driver: Connection) -> None:
    """Give the younger of two accounts with one name, `ADMIN` and `admin` under Turkish rules, its number behind it."""
    renamed = driver.execute(
        """
        UPDATE users u SET username = left(u.username, 22) || '-' || u.id
        FROM (SELECT id, row_number() OVER (PARTITION BY lower(username COLLATE "C") ORDER BY id) AS place
              FROM users WHERE username IS NOT NULL) AS twin
        WHERE twin.id = u.id AND twin.place > 1 RETURNING u.id
        """
    ).fetchall()
    for (user_id,) in renamed:
        logger.warning(
            "renamed", user_id=user_id, reason="an older account has the same user name; the number is behind it"
        )


def _fold_addresses(driver: Connection) -> None:
    """Write the keys of addresses that are not ASCII into a temporary table: SQL knows no A-labels."""
    driver.execute("CREATE TEMPORARY TABLE folded (id bigint PRIMARY KEY, key text NOT NULL) ON COMMIT DROP")
    rows = driver.execute("SELECT id, email FROM users WHERE octet_length(email) <> length(email)").fetchall()
    with driver.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO folded VALUES (%s, %s)", [(user_id, email_key(email)) for user_id, email in rows]
        )
