"""`vote log`: whose ballot log it is, and how one of another installation is taken over (R11)."""

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

as_json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


class _Parts(NamedTuple):
    db: Database
    log: BallotLog
    ours: str


@click.group()
def log() -> None:
    """Show whose ballot log it is, and take over the log of another installation.

    Works on DATABASE_URL and BALLOT_LOG_URL (or REDIS_URL), or on the running `vote up` of VOTE_HOME.
    """


@log.command()
@as_json_option
def owner(as_json: bool) -> None:
    """Print the id of this installation and those in the ballot log. Exit code 1 when they differ."""
    with _services() as services:
        owners = services.log.owners()
    theirs = sorted({found for found, _ in owners})
    if as_json:
        click.echo(json.dumps({"installation": services.ours, "log": [found or None for found, _ in owners]}))
    else:
        click.echo(f"This is installation {services.ours}.")
        click.echo(f"The ballot log belongs to {', '.join(found or 'nobody' for found in theirs)}.")
    if theirs != [services.ours]:
        raise SystemExit(1)


@log.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--keep", is_flag=True, help="It holds ballots of this installation: keep them, and its id.")
@as_json_option
def adopt(yes: bool, keep: bool, as_json: bool) -> None:
    """Take over a ballot log that belongs to another installation. Stop web and workers first.

    It is emptied: what the other installation has not recorded yet is gone for good, and nothing of it is counted here. Copy
    the files of its server before, if in doubt. A new epoch begins; where this installation had a log before, the break
    leaves a gap that an admin decides over.

    With --keep nothing is emptied: this database takes the id in the log and goes on as that installation. That is for a
    database that was restored from a backup of before installations had an id.
    """
    with _services() as services:
        owners = services.log.owners()
        others = sorted({found for found, epoch in owners if found != services.ours and (found or epoch)})
        if not others:
            raise Conflict("The ballot log is this installation's already, or nobody's: there is nothing to adopt.")
        if not yes:
            click.confirm(_question(services, others, keep=keep), abort=True)
        ours = _keep(services, owners, others) if keep else _take_over(services, owners, others)
    if as_json:
        click.echo(json.dumps({"installation": ours, "adopted": others, "kept": keep}))
    else:
        click.echo(f"The ballot log belongs to installation {ours} now. Start the workers: they make it ready.")


def _question(services: _Parts, others: list[str], *, keep: bool) -> str:
    whose = ", ".join(found or "nobody that it names" for found in others)
    if keep:
        return f"The log belongs to {whose}. Go on as that installation, and record the ballots it holds?"
    return f"The log belongs to {whose}, and this is {services.ours}. Empty it, and take it over?"


def _keep(services: _Parts, owners: list[tuple[str, str]], others: list[str]) -> str:
    named = {found for found, _ in owners if found}
    if len(named) > 1:
        raise Conflict(
            f"The log belongs to more than one installation ({', '.join(sorted(named))}): it cannot be kept."
        )
    ours = next(iter(named), services.ours)
    with services.db.transaction(by=BY) as tx:
        installations.note_adoption(tx, ", ".join(others) or "nobody")
        installations.become(tx, ours)
    services.log.installation.id = ours
    services.log.load_library()
    for shard, (_, epoch) in enumerate(owners):
        services.log.claim(shard, epoch)
    return ours


def _take_over(services: _Parts, owners: list[tuple[str, str]], others: list[str]) -> str:
    with services.db.transaction(by=BY) as tx:  # before it is done: what is in the audit log may be done once more
        installations.note_adoption(tx, ", ".join(found or "nobody" for found in others))
    services.log.load_library()
    for shard, (found, epoch) in enumerate(owners):
        if found != services.ours and (found or epoch):
            services.log.adopt(shard, found)
        else:
            services.log.claim(shard, epoch)
    return services.ours


@contextlib.contextmanager
def _services() -> Iterator[_Parts]:
    settings = config.load(environment.read_with_notes())
    db = Database(settings.database("owner"), size=1, name=BY)
    log = BallotLog(settings.log_url, settings.vote_shards, Installation())
    try:
        yield _Parts(db, log, installations.learn(db, log.installation))
    finally:
        log.close()
        db.close()
