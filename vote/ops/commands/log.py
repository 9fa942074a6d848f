"""`vote log`: show which installation owns the ballot log, and take over another installation's log (R11)."""

import contextlib
import json
from collections.abc import Iterator
from typing import NamedTuple

import click

from vote import config
from vote.ballotlog.log import BallotLog
from vote.db import installation as installations
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.errors import Conflict
from vote.ops import environment

BY = "vote log adopt"

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _LogServices(NamedTuple):
    db: Database
    log: BallotLog
    ours: str


@click.group()
def log() -> None:
    """Show which installation owns the ballot log, and take over another's.

    Uses DATABASE_URL and BALLOT_LOG_URL (or REDIS_URL), or the running `vote up` of VOTE_HOME.
    """


@log.command()
@as_json_option
def owner(as_json: bool) -> None:
    """Print the id of this installation and those in the ballot log. Exit code 1 if they differ."""
    with _services() as services:
        owners = services.log.owners()
    log_owners = sorted({installation for installation, _ in owners})
    if as_json:
        click.echo(
            json.dumps({"installation": services.ours, "log": [installation or None for installation, _ in owners]})
        )
    else:
        click.echo(f"This is installation {services.ours}.")
        click.echo(f"The ballot log belongs to {', '.join(installation or 'nobody' for installation in log_owners)}.")
    if log_owners != [services.ours]:
        raise SystemExit(1)


@log.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--keep", is_flag=True, help="The log has this installation's ballots: keep them, and its id.")
@as_json_option
def adopt(yes: bool, keep: bool, as_json: bool) -> None:
    """Take over a ballot log that belongs to another installation. Stop web and workers first.

    The log is emptied: ballots that the other installation has not recorded are lost for good and count nowhere. If in
    doubt, copy the files of its server first. A new epoch begins; if this installation had a log before, that leaves a gap
    for an admin to decide.

    With --keep nothing is emptied: this database takes the log's id and continues as that installation. Use it after
    restoring a backup from before installations had an id.
    """
    with _services() as services:
        owners = services.log.owners()
        others = sorted(
            {
                installation
                for installation, epoch in owners
                if installation != services.ours and (installation or epoch)
            }
        )
        if not others:
            raise Conflict("The ballot log already belongs to this installation or to nobody: nothing to adopt.")
        if not yes:
            click.confirm(_confirmation(services, others, keep=keep), abort=True)
        ours = _keep(services, owners, others) if keep else _take_over(services, owners, others)
    if as_json:
        click.echo(json.dumps({"installation": ours, "adopted": others, "kept": keep}))
    else:
        click.echo(f"The ballot log now belongs to installation {ours}. Start the workers, which make it ready.")


def _confirmation(services: _LogServices, others: list[str], *, keep: bool) -> str:
    owner = ", ".join(installation or "an unnamed installation" for installation in others)
    if keep:
        return f"The log belongs to {owner}. Continue as that installation and record its ballots?"
    return f"The log belongs to {owner}; this is {services.ours}. Empty it and take it over? This cannot be undone."


def _keep(services: _LogServices, owners: list[tuple[str, str]], others: list[str]) -> str:
    names = {installation for installation, _ in owners if installation}
    if len(names) > 1:
        raise Conflict(
            f"The log belongs to more than one installation ({', '.join(sorted(names))}), so --keep cannot work."
        )
    ours = next(iter(names), services.ours)
    with services.db.transaction(by=BY) as tx:
        installations.note_adoption(tx, ", ".join(others) or "nobody")
        installations.become(tx, ours)
    services.log.installation.id = ours
    services.log.load_library()
    for shard, (_, epoch) in enumerate(owners):
        services.log.claim(shard, epoch)
    return ours


def _take_over(services: _LogServices, owners: list[tuple[str, str]], others: list[str]) -> str:
    with services.db.transaction(by=BY) as tx:  # audited first: after a crash in between, the command can be repeated
        installations.note_adoption(tx, ", ".join(installation or "nobody" for installation in others))
    services.log.load_library()
    for shard, (installation, epoch) in enumerate(owners):
        if installation != services.ours and (installation or epoch):
            services.log.adopt(shard, installation)
        else:
            services.log.claim(shard, epoch)
    return services.ours


@contextlib.contextmanager
def _services() -> Iterator[_LogServices]:
    settings = config.load(environment.read_with_notes())
    db = Database(settings.database("owner"), size=1, name=BY)
    log = BallotLog(settings.log_url, settings.vote_shards, Installation())
    try:
        yield _LogServices(db, log, installations.learn(db, log.installation))
    finally:
        log.close()
        db.close()
