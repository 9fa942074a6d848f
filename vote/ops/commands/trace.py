"""`vote trace`: command line and output. The work is done in `vote.ops.trace`."""

import json
from contextlib import closing
from typing import TextIO

import click

from vote.ballotlog.log import BallotLog
from vote.config import Settings
from vote.db import installation as installations
from vote.db.pool import Database
from vote.domain.installation import Installation
from vote.errors import DatabaseUnavailable, NotFound
from vote.ops import environment
from vote.ops.trace import ballot_way
from vote.ops.trace.ballot_way import BallotWay
from vote.ops.trace.lines import TracedLines, read
from vote.server import request_id

NAME = "vote trace"


@click.command()
@click.argument("request", metavar="ID")
@click.argument("files", nargs=-1, type=click.File("r", encoding="utf-8", errors="replace"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def trace(request: str, files: tuple[TextIO, ...], as_json: bool) -> None:
    """Print the way of one ballot: its request, its entry in the log, its batch, its row.

    ID is the request's (the answer's X-Request-Id, or the id on an error page) or the ballot's. FILES hold lines of the
    log, of any part; - is standard input. Without files, log and database alone are asked. Neither voter nor choice is
    shown.
    """
    known = request_id.parse(request.encode("utf-8"))
    if known is None:
        raise click.BadParameter("an id has 32 hexadecimal digits", param_hint="ID")
    half = known[: request_id.HALF]
    lines = read((text for file in files for text in file), half)
    ways, has_rows = _ways(environment.settings_of_reader(), half, lines)
    if not (ways or lines.requests or lines.events):
        raise NotFound(f"Nothing is known of {known}: no ballot in log or database, no line in {len(files)} files.")
    if as_json:
        found = {"requests": lines.requests, "events": lines.events, "ballots": [way.as_json() for way in ways]}
        click.echo(json.dumps({"id": known, **found}))
        return
    for text in ballot_way.report(lines, ways, has_rows=has_rows):
        click.echo(text)
    if not ways:
        click.echo("This request appended no ballot.")


def _ways(settings: Settings, half: str, lines: TracedLines) -> tuple[list[BallotWay], bool]:
    """Return the ways, and whether the database was asked: without it, what the lines say is better than nothing."""
    with (
        closing(Database(settings.database("reports"), size=1, name=NAME)) as db,
        closing(BallotLog(settings.log_url, settings.vote_shards, Installation())) as log,
    ):
        try:
            installations.learn(db, log.installation)
            return ballot_way.follow(half, lines, db, log), True
        except DatabaseUnavailable:
            return ballot_way.without_database(lines), False
