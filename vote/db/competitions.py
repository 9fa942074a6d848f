"""Competitions and their options."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, LiteralString

from psycopg.rows import dict_row

from vote.db import incarnations
from vote.db.incarnations import VERSIONS_FROM
from vote.db.pool import Tx
from vote.domain.competition import Competition, Correction, Option, State
from vote.errors import NoSuchCompetition

CORRECTIONS: LiteralString = """
    (SELECT jsonb_agg(jsonb_build_array(extract(epoch FROM k.corrected_at), k.corrected_by, k.field, k.before, k.after)
                      ORDER BY k.id)
     FROM corrections k WHERE k.competition_id = c.id)
"""
COMPETITION: LiteralString = f"""
    SELECT c.id, c.name, c.description, c.status AS state, c.opens_at, c.closes_at, c.allow_change,
           c.results_visibility, c.receipt_key, c.rules_version, c.revision + {VERSIONS_FROM} AS revision,
           c.organiser_id, c.created_at, c.opened_at, c.closed_at, c.reopened_at, c.previous_final_at, c.held_until,
           ARRAY(SELECT ARRAY[o.key, o.label, o.description] FROM options o
                 WHERE o.competition_id = c.id ORDER BY o.key) AS options,
           {CORRECTIONS} AS corrections
    FROM competitions c
"""  # noqa: S608  # nosec B608: a literal


DUE: LiteralString = """
    SELECT id, 'open' AS state FROM competitions WHERE status = 'scheduled' AND opens_at <= now()
    UNION ALL
    SELECT id, 'closing' FROM competitions WHERE status = 'open' AND closes_at <= now()
"""
OPTION_FIELD = "option_"


def _changes(tx: Tx, competition_id: int) -> None:
    """Note a change of what people see of a competition; `pool.py` announces it after the commit."""
    tx.changed |= {competition_id}


def fetch_all(tx: Tx, query: LiteralString, parameters: tuple[Any, ...] = ()) -> list[Competition]:
    """Return the competitions of a query that begins with COMPETITION."""
    rows = tx.cursor(row_factory=dict_row).execute(query, parameters)
    return [_competition(row) for row in rows]


def _competition(row: dict[str, Any]) -> Competition:
    options = tuple(Option(*option) for option in row["options"])
    return Competition(**{**row, "options": options, "corrections": corrections_from(row["corrections"])})


def corrections_from(rows: list[list[Any]] | None) -> tuple[Correction, ...]:
    """Return the corrections that CORRECTIONS selects, oldest first."""
    return tuple(Correction(datetime.fromtimestamp(seconds, UTC), *rest) for seconds, *rest in rows or ())


def find(tx: Tx, competition_id: int) -> Competition | None:
    """Return the competition with this id, whatever its state."""
    return next(iter(fetch_all(tx, COMPETITION + " WHERE c.id = %s", (competition_id,))), None)


def get(tx: Tx, competition_id: int) -> Competition:
    """Return the competition with this id. Raises NoSuchCompetition."""
    competition = find(tx, competition_id)
    if competition is None:
        raise NoSuchCompetition
    return competition


def lock(tx: Tx, competition_id: int) -> Competition | None:
    """Return the competition, locked against other changes until the transaction ends."""
    incarnations.note(tx)  # a lock precedes an increment of the revision
    # Two statements: the array of options must be read after the lock is granted.
    tx.execute("SELECT 1 FROM competitions WHERE id = %s FOR NO KEY UPDATE", (competition_id,))
    return find(tx, competition_id)


def find_many(tx: Tx, ids: Iterable[int]) -> list[Competition]:
    """Return those of these competitions that exist."""
    return fetch_all(tx, COMPETITION + " WHERE c.id = ANY(%s)", (list(ids),))


def known_to_log(tx: Tx) -> list[Competition]:
    """Return the competitions that every shard must know: all that may have or get ballots, except evicted ones."""
    return fetch_all(
        tx,
        COMPETITION + " WHERE (c.status IN ('scheduled', 'open', 'closing', 'closed') OR c.opened_at IS NOT NULL)"
        " AND c.forgotten_at IS NULL",
    )


def forgotten_by_log(tx: Tx) -> dict[int, int]:
    """Return what shards no longer need: {competition: version of its rules}."""
    query = "SELECT id, rules_version FROM competitions WHERE forgotten_at IS NOT NULL ORDER BY id"
    return dict(tx.execute(query).fetchall())


def receipt_keys(tx: Tx, wanted: list[int] | None, *, known_up_to: int) -> dict[int, bytes]:
    """Return the receipt keys of these competitions or, with None, of all with an id above `known_up_to`."""
    query = """
        SELECT id, receipt_key FROM competitions WHERE id = ANY(%s) OR (%s::bigint[] IS NULL AND id > %s)
    """
    return dict(tx.execute(query, (wanted, wanted, known_up_to)).fetchall())


def due(tx: Tx) -> list[int]:
    """Return the competitions whose time to open or close has come."""
    return [row[0] for row in tx.execute(DUE)]


def due_state(tx: Tx, competition_id: int) -> State | None:
    """Return the state a competition should have by now, None when it should stay. Call it under the row's lock."""
    row = tx.execute(
        f"SELECT state FROM ({DUE}) AS due WHERE id = %s",  # noqa: S608  # nosec B608: a literal
        (competition_id,),
    ).fetchone()
    return row[0] if row else None


def in_state(tx: Tx, state: State) -> list[int]:
    """Return the ids of the competitions in this state."""
    return [row[0] for row in tx.execute("SELECT id FROM competitions WHERE status = %s ORDER BY id", (state,))]


def any_exist(tx: Tx) -> bool:
    """Return whether there is any competition."""
    return tx.execute("SELECT 1 FROM competitions LIMIT 1").fetchone() is not None


def insert(
    tx: Tx,
    *,
    name: str,
    description: str,
    state: State,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
    allow_change: bool = False,
    results_visibility: str = "live",
    receipt_key: bytes,
    rules_version: int,
    organiser_id: int | None = None,
    options: Iterable[Option],
) -> int:
    """Insert a competition. Returns its id, which no other one ever had."""
    incarnations.note(tx)
    competition_id = tx.fetch_value(
        """
        INSERT INTO competitions (name, description, status, opens_at, closes_at, allow_change, results_visibility,
                                  receipt_key, rules_version, organiser_id, opened_at)
        VALUES (%(name)s, %(description)s, %(state)s, %(opens_at)s, %(closes_at)s, %(allow_change)s,
                %(results_visibility)s, %(receipt_key)s, %(rules_version)s, %(organiser_id)s,
                CASE WHEN %(state)s = 'open' THEN now() END)
        RETURNING id
        """,
        {
            "name": name,
            "description": description,
            "state": state,
            "opens_at": opens_at,
            "closes_at": closes_at,
            "allow_change": allow_change,
            "results_visibility": results_visibility,
            "receipt_key": receipt_key,
            "rules_version": rules_version,
            "organiser_id": organiser_id,
        },
    )
    replace_options(tx, competition_id, options)
    return int(competition_id)


def count_up(tx: Tx, competition_id: int) -> None:
    """Note that a final tally has changed: its copies are outdated, and its journal has rows that retention has not seen."""
    _changes(tx, competition_id)
    tx.execute(
        "UPDATE competitions SET revision = revision + 1, state_changes = state_changes + 1, journal_retired_at = NULL"
        " WHERE id = %s",
        (competition_id,),
    )


def replace_options(tx: Tx, competition_id: int, options: Iterable[Option]) -> None:
    """Replace the options. Only before voting: votes refer to them."""
    _changes(tx, competition_id)
    tx.execute("DELETE FROM options WHERE competition_id = %s", (competition_id,))
    for option in options:
        tx.execute(
            "INSERT INTO options (competition_id, key, label, description) VALUES (%s, %s, %s, %s)",
            (competition_id, option.key, option.label, option.description),
        )


def update(
    tx: Tx,
    competition_id: int,
    *,
    name: str,
    description: str,
    opens_at: datetime | None,
    closes_at: datetime | None,
    allow_change: bool,
    results_visibility: str,
    rules_version: int,
) -> None:
    """Set what an organiser may change."""
    _changes(tx, competition_id)
    tx.execute(
        """
        UPDATE competitions
        SET name = %s, description = %s, opens_at = %s, closes_at = %s, allow_change = %s, results_visibility = %s,
            rules_version = %s, revision = revision + 1, state_changes = state_changes + 1, held_until = NULL
        WHERE id = %s
        """,
        (name, description, opens_at, closes_at, allow_change, results_visibility, rules_version, competition_id),
    )


def set_state(
    tx: Tx,
    competition_id: int,
    state: State,
    *,
    rules_version: int,
    opens_at: datetime | None,
    closes_at: datetime | None,
) -> None:
    """Move to another state under a new rules version; records when it first opened, reopened or closed.

    A competition that is no longer over is no longer forgotten or retired. A reopening keeps since when a result was final.
    """
    _changes(tx, competition_id)
    tx.execute(
        """
        UPDATE competitions
        SET status = %(state)s, rules_version = %(version)s, opens_at = %(opens_at)s, closes_at = %(closes_at)s,
            revision = revision + 1, state_changes = state_changes + 1,
            opened_at = CASE WHEN %(state)s = 'open' THEN coalesce(opened_at, now()) ELSE opened_at END,
            closed_at = CASE %(state)s WHEN 'open' THEN NULL WHEN 'closed' THEN now() ELSE closed_at END,
            reopened_at = CASE WHEN %(state)s = 'open' AND status IN ('closing', 'closed') THEN now() ELSE reopened_at END,
            previous_final_at = CASE WHEN %(state)s = 'open' AND status = 'closed' THEN closed_at ELSE previous_final_at END,
            held_until = NULL,
            forgotten_at = CASE WHEN %(state)s IN ('closed', 'archived') THEN forgotten_at END,
            journal_retired_at = CASE WHEN %(state)s IN ('closed', 'archived') THEN journal_retired_at END
        WHERE id = %(id)s
        """,
        {
            "id": competition_id,
            "state": state,
            "version": rules_version,
            "opens_at": opens_at,
            "closes_at": closes_at,
        },
    )


def correct(tx: Tx, competition_id: int, *, by: int, corrections: Iterable[tuple[str, str, str]]) -> None:
    """Insert corrections (field, old words, new words) and relabel options; `update` does the rest."""
    for field, before, after in corrections:
        tx.execute(
            "INSERT INTO corrections (competition_id, corrected_by, field, before, after) VALUES (%s, %s, %s, %s, %s)",
            (competition_id, by, field, before, after),
        )
        if field.startswith(OPTION_FIELD):
            tx.execute(
                "UPDATE options SET label = %s WHERE competition_id = %s AND key = %s",
                (after, competition_id, field.removeprefix(OPTION_FIELD)),
            )


def delete(tx: Tx, competition_id: int) -> None:
    """Delete a competition that nobody voted in, with its options and corrections; the audit log keeps its history.

    Raises psycopg's ForeignKeyViolation where anyone has voted.
    """
    _changes(tx, competition_id)
    tx.execute("SELECT delete_competition(%s)", (competition_id,))
