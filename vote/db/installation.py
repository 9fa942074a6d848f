"""The id of this installation: made with the first schema that has it, and the same in every restored copy."""

from vote.db.pool import Database, Tx
from vote.domain.installation import Installation
from vote.errors import DatabaseUnavailable

KEY = "installation"
ADOPTED = "adopted_log"


def find(tx: Tx) -> str | None:
    """Return the id; None in a database whose schema is older than the id."""
    row = tx.execute("SELECT value FROM settings WHERE key = %s", (KEY,)).fetchone()
    return None if row is None else str(row[0])


def read(tx: Tx) -> str:
    """Return the id. Raises DatabaseUnavailable when the schema is older than the id."""
    installation_id = find(tx)
    if installation_id is None:
        raise DatabaseUnavailable("The database has no id of its installation: run `vote migrate` first.")
    return installation_id


def learn(db: Database, installation: Installation) -> str:
    """Read the id into the holder that the parts of a process share. Raises DatabaseUnavailable."""
    with db.read() as tx:
        installation.id = read(tx)
    return installation.id


def note_adoption(tx: Tx, former: str) -> None:
    """Leave a row, and so an audit log line, that another installation's log was taken over."""
    tx.execute(
        "INSERT INTO settings (key, value) VALUES (%s, concat(%s::text, ' at ', now()))"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (ADOPTED, former),
    )


def become(tx: Tx, installation_id: str) -> None:
    """Take another id: this database continues the installation of the log. The audit log keeps both."""
    tx.execute("UPDATE settings SET value = %s WHERE key = %s", (installation_id, KEY))
