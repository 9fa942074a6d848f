"""`vote worker`: record accepted ballots and run the schedule. The loop is in `vote.worker`."""

import click

from vote import config
from vote.worker import loop as recording


@click.command()
def worker() -> None:
    """Record accepted ballots in PostgreSQL, and open and close competitions on time. Run as many workers as you like."""
    recording.run(config.load())
