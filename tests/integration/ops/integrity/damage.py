"""How books are damaged and what `vote verify` says of it. Damage is done as a superuser would: past all that protects."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from click.testing import CliRunner, Result

from vote.domain.chain import BEGINNING, links
from vote.domain.competition import Competition
from vote.ops.cli import cli

Execute = Callable[..., list[Any]]


class Row(NamedTuple):
    """A row of the journal that a test damages."""

    shard: int
    seq: int
    id: UUID

    @property
    def name(self) -> str:
        return f"shard {self.shard}, seq {self.seq}, ballot {self.id}"


def verify(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner(env=environment).invoke(cli, ["verify", *arguments])


def found(environment: dict[str, str]) -> list[tuple[str, str, str]]:
    """What `vote verify --json` finds."""
    result = verify(environment, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == (1 if answer["findings"] else 0)
    assert answer["ok"] == (not answer["findings"])
    return [(one["book"], one["row"], one["problem"]) for one in answer["findings"]]


def rows_of(findings: list[tuple[str, str, str]], book: str) -> list[str]:
    return [row for one, row, _ in findings if one == book]


def a_row(execute: Execute, *, after: int = 0, of: Competition | None = None) -> Row:
    """A row of the journal that is neither first nor last of its shard."""
    (row,) = execute(
        "SELECT shard, seq, id FROM ballots WHERE seq > %s AND (%s::int IS NULL OR competition_id = %s)"
        " AND (shard, seq + 2) IN (SELECT shard, seq FROM ballots) ORDER BY shard, seq LIMIT 1",
        max(after, 2),
        of.id if of else None,
        of.id if of else None,
    )
    return Row(*row)


def chain_anew(execute: Execute, shard: int) -> None:
    """Make the chain of a shard fit its digests again, as a careful attacker would."""
    rows = execute("SELECT seq, digest FROM ballots WHERE shard = %s ORDER BY seq", shard)
    made = list(links(0, BEGINNING, [row[1] for row in rows]))
    for (old, _), link in zip(rows, made, strict=True):
        execute(
            "UPDATE ballots SET seq = %s, chain = %s WHERE shard = %s AND seq = %s", -link.seq, link.chain, shard, old
        )
    execute("UPDATE ballots SET seq = -seq WHERE shard = %s", shard)
    execute("UPDATE log_positions SET recorded = %s, chain = %s WHERE shard = %s", made[-1].seq, made[-1].chain, shard)
