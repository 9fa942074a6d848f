"""`vote web`: run gunicorn with the front door; `gunicorn_conf.py` configures it."""

import os
import sys
from pathlib import Path

import click

from vote import config
from vote.config import METRICS_FOLDER, Settings
from vote.errors import ConfigError
from vote.metrics import folder as metrics_folder


@click.command()
def web() -> None:
    """Serve pages, API, votes and live results on HOST:PORT with WEB_CONCURRENCY processes."""
    settings = config.load()
    environ = {**os.environ, METRICS_FOLDER: str(_fresh_metrics_folder(settings))}
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    command = [sys.executable, "-m", "gunicorn", "-c", "python:vote.ops.gunicorn_conf"]
    command += ["--bind", f"{host}:{settings.port}", "--workers", str(settings.web_concurrency), "vote.asgi:app"]
    os.execve(sys.executable, command, environ)  # noqa: S606  # replaces this process, so that signals reach gunicorn itself


def _fresh_metrics_folder(settings: Settings) -> Path:
    """Return the folder where web processes sum their metrics. Removes files of an earlier start, which would be counted."""
    own = settings.vote_home.absolute() / f"metrics-{settings.port}"
    folder = Path(config.metrics_folder() or own)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        metrics_folder.clear(folder)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be used for metrics ({error.strerror}). Set {METRICS_FOLDER} to an empty folder."
        ) from error
    return folder
