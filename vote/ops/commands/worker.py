"""`vote worker`: records accepted ballots and runs the schedule. The loop itself is `vote.worker`'s."""

import click

from vote import config
from vote.worker import loop as recording


@click.command()
def worker() -> None:
    """Record accepted ballots in PostgreSQL, open and close competitions on time. Run as many as you like."""
    recording.run(config.load())
