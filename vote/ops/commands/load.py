"""`vote load`: arguments and words. What is done lives in `vote.ops.load`."""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import click

from vote import config
from vote.config import Settings
from vote.ops import environment, first_start
from vote.ops.load import plan, report, target
from vote.ops.load.limits import Thresholds
from vote.ops.load.plan import Plan
from vote.ops.load.run import Order, run
from vote.ops.load.target import Target

DEFAULT = Plan(votes=10_000, rate=1_000, users=1_000, connections=1_000)  # the production checklist's
LIMITS = Thresholds()


@click.command()
@click.option("--url", help="The deployment. Default: this machine, at the PORT of the settings.")
@click.option("--rate", type=click.FloatRange(0.1, 100_000), help="Votes due a second. Default: 1000.")
@click.option("--votes", type=click.IntRange(1, 10_000_000), help="Votes in all. Default: 10000.")
@click.option("--duration", type=click.FloatRange(0.1, 86_400), help="Seconds, in place of --votes or --rate.")
@click.option("--users", type=click.IntRange(1, 1_000_000), default=DEFAULT.users, show_default=True)
@click.option("--connections", type=click.IntRange(1, 60_000), default=DEFAULT.connections, show_default=True)
@click.option(
    "--competition", type=click.IntRange(1), help="Vote in this one, which nobody has voted in; the votes stay."
)
@click.option("--register", is_flag=True, help="Register the users over HTTP, not in the database.")
@click.option("--token", help="An organiser's token, to make competitions with; rather use --token-file.")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its file.")
@click.option("--i-own-this-target", "owned", metavar="URL", help="The URL again, when it is not known to be yours.")
@click.option("--keep", is_flag=True, help="Keep accounts and competitions, to look at them.")
@click.option(
    "--wait", type=click.FloatRange(1, 3_600), default=60, show_default=True, help="Seconds for all to be recorded."
)
@click.option("--max-median-ms", type=click.FloatRange(0), default=LIMITS.median_ms, show_default=True)
@click.option("--max-p99-ms", type=click.FloatRange(0), default=LIMITS.p99_ms, show_default=True)
@click.option(
    "--max-database-ms", type=click.FloatRange(0), default=LIMITS.database_ms, show_default=True, help="Its p99."
)
@click.option(
    "--max-failed", type=click.IntRange(0), default=LIMITS.failed, show_default=True, help="Votes not acknowledged."
)
@click.option(
    "--report", "page", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write an HTML page."
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def load(
    *,
    url: str | None,
    rate: float | None,
    votes: int | None,
    duration: float | None,
    users: int,
    connections: int,
    competition: int | None,
    register: bool,
    token: str | None,
    token_file: Path | None,
    owned: str | None,
    keep: bool,
    wait: float,
    page: Path | None,
    as_json: bool,
    **upper: Any,
) -> None:
    """Vote as a crowd does, measure, and count that nothing was lost.

    Each vote has its time beforehand (an open loop), and its latency runs from that time, whatever the service does.
    Accounts and competitions are made for it and taken away afterwards. With the settings of the deployment at hand the
    accounts are put into its database; elsewhere use --register and --token-file. The defaults are 1,000 users, 10,000
    votes in 10 s, and the limits of the production checklist.

    Only this machine and PUBLIC_URL of the settings are loaded, unless --i-own-this-target names the target again.

    Exit codes: 0 every limit is kept, 1 one is missed or it could not be done, 2 the command line is wrong.
    """
    settings, is_complete = _settings()
    try:
        wanted = plan.make(
            votes=votes, rate=rate, duration=duration, users=users, connections=connections, default=DEFAULT
        )
        aim = _target(settings, url, owned)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    order = Order(
        plan=wanted,
        target=aim,
        limits=Thresholds(**{name.removeprefix("max_"): value for name, value in upper.items()}),
        settings=settings if is_complete else None,
        register=register,
        token=token_file.read_text(encoding="utf-8").strip() if token_file else token,
        competition=competition,
        keep=keep,
        wait_s=wait,
        quiet=as_json,
    )
    _check(order, page)
    result = run(order)
    if page is not None:
        page.write_text(report.as_html(result), encoding="utf-8")
    click.echo(json.dumps(report.as_json(result)) if as_json else "\n".join(report.as_lines(result)))
    sys.exit(0 if result.passes else 1)


def _settings() -> tuple[Settings, bool]:
    """The settings, and whether they are those of a deployment: from elsewhere one may load without any."""
    environ = environment.read_with_notes()
    lacking = [name for name in first_start.SECRETS if not {name, f"{name}_FILE"} & environ.keys()]
    settings = config.load(environ | {name: secrets.token_urlsafe(32) for name in lacking})
    return settings, settings.database_url is not None and "JWT_SECRET" not in lacking


def _target(settings: Settings, url: str | None, owned: str | None) -> Target:
    aim = target.parse(url or f"http://127.0.0.1:{settings.port}")
    target.check_is_own(aim, public_url=settings.public_url, owned=owned)
    return aim


def _check(order: Order, page: Path | None) -> None:
    """What cannot work is said before anything is made."""
    if page is not None and not page.parent.is_dir():
        raise click.UsageError(f"there is no folder {page.parent} for the report")
    if order.competition is not None and order.plan.competitions > 1:
        raise click.UsageError("in one competition everybody votes once: give at least as many --users as --votes")
    if order.settings is None and not order.register:
        raise click.UsageError("the settings of the deployment (DATABASE_URL, JWT_SECRET) are not here: use --register")
    if order.settings is None and order.competition is None and order.token is None:
        raise click.UsageError("making competitions takes an organiser's token: --token-file, or name a --competition")
