"""`vote load`: command line and output. The work is done in `vote.ops.load`."""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import click

from vote import config
from vote.config import Settings
from vote.ops import environment
from vote.ops.load import html_report, plan, report, target
from vote.ops.load.plan import DEFAULT
from vote.ops.load.run import Order, run
from vote.ops.load.target import Target
from vote.ops.load.verdict import Thresholds

LIMITS = Thresholds()


@click.command()
@click.option("--url", help="The deployment's URL. Default: this machine, at PORT.")
@click.option("--rate", type=click.FloatRange(0.1, 100_000), help="Votes per second. Default: 1000.")
@click.option("--votes", type=click.IntRange(1, 10_000_000), help="Total votes. Default: 10000.")
@click.option(
    "--duration", type=click.FloatRange(0.1, 86_400), help="Duration in seconds, instead of --votes or --rate."
)
@click.option("--users", type=click.IntRange(1, 1_000_000), default=DEFAULT.users, show_default=True)
@click.option("--connections", type=click.IntRange(1, 60_000), default=DEFAULT.connections, show_default=True)
@click.option(
    "--competition", type=click.IntRange(1), help="Use this open competition without votes. The new votes stay."
)
@click.option("--register", is_flag=True, help="Register the users over HTTP instead of in the database.")
@click.option("--token", help="An organiser's token, to create competitions. Prefer --token-file.")
@click.option(
    "--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file with the token."
)
@click.option("--i-own-this-target", "owned", metavar="URL", help="Confirm the URL if it is not known to be yours.")
@click.option("--keep", is_flag=True, help="Keep accounts and competitions for inspection.")
@click.option(
    "--wait",
    type=click.FloatRange(1, 3_600),
    default=60,
    show_default=True,
    help="Seconds to wait until every vote is recorded.",
)
@click.option("--max-median-ms", type=click.FloatRange(0), default=LIMITS.median_ms, show_default=True)
@click.option("--max-p99-ms", type=click.FloatRange(0), default=LIMITS.p99_ms, show_default=True)
@click.option(
    "--max-database-ms",
    type=click.FloatRange(0),
    default=LIMITS.database_ms,
    show_default=True,
    help="p99 of the database.",
)
@click.option(
    "--max-failed",
    type=click.IntRange(0),
    default=LIMITS.failed,
    show_default=True,
    help="Maximum votes not acknowledged.",
)
@click.option(
    "--report",
    "page",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write an HTML report to this file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
    """Simulate a crowd of voters, measure latency, and check that no vote is lost.

    Each vote has a fixed due time (an open loop), and its latency counts from then, however slow the service is. Accounts
    and competitions are created for the load and removed afterwards. With the deployment's settings, accounts are inserted
    into its database; elsewhere use --register and --token-file. The defaults are 1,000 users, 10,000 votes in 10 s, and the
    limits of the production checklist.

    Only this machine and PUBLIC_URL may be loaded, unless --i-own-this-target names the target again.

    Exit codes: 0 all limits met, 1 a limit missed or the load failed, 2 wrong command line.
    """
    settings, is_complete = _settings()
    try:
        schedule = plan.make(votes=votes, rate=rate, duration=duration, users=users, connections=connections)
        deployment = _target(settings, url, owned)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    order = Order(
        plan=schedule,
        target=deployment,
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
        page.write_text(html_report.as_html(result), encoding="utf-8")
    click.echo(json.dumps(report.as_json(result)) if as_json else "\n".join(report.as_lines(result)))
    sys.exit(0 if result.passes else 1)


def _settings() -> tuple[Settings, bool]:
    """Return the settings, and whether they are a deployment's. A load from elsewhere needs none."""
    environ = environment.read_with_notes()
    missing = environment.missing_logins(environ)
    settings = config.load(environ | {name: secrets.token_urlsafe(32) for name in missing})
    return settings, settings.database_url is not None and "JWT_SECRET" not in missing


def _target(settings: Settings, url: str | None, owned: str | None) -> Target:
    deployment = target.parse(url or f"http://127.0.0.1:{settings.port}")
    target.check_is_own(deployment, public_url=settings.public_url, owned=owned)
    return deployment


def _check(order: Order, page: Path | None) -> None:
    """Refuse what cannot work before anything is created."""
    if page is not None and not page.parent.is_dir():
        raise click.UsageError(f"there is no folder {page.parent} for the report")
    if order.competition is not None and order.plan.competitions > 1:
        raise click.UsageError("each user has one vote in a competition: give at least as many --users as --votes")
    if order.settings is None and not order.register:
        raise click.UsageError("DATABASE_URL and JWT_SECRET of the deployment are not set here: use --register")
    if order.settings is None and order.competition is None and order.token is None:
        raise click.UsageError(
            "creating competitions needs an organiser's token: pass --token-file, or name a --competition"
        )
