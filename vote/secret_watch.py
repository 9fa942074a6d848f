"""Notice that a restart would find other secrets than this process uses: in the manager of SECRETS_FROM, or in files.

They are not taken over: keys are rotated in two steps, and only a restart tells an operator which processes have taken which
step (docs/adr/0048). Reading again also keeps the manager's login alive.
"""

import threading
from collections.abc import Callable

import structlog

from vote import config
from vote.config import Settings
from vote.errors import ConfigError
from vote.metrics.process import SECRETS_OUTDATED
from vote.production_rules import SECRETS

logger = structlog.get_logger()


class SecretWatch:
    """A thread that reads all secrets again every SECRETS_REFRESH_S, and logs each change once, by name."""

    def __init__(self, settings: Settings, load: Callable[[], Settings] = config.load) -> None:
        self._settings, self._load = settings, load
        self._outdated: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="secret watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop. Does not wait for a manager that is being asked."""
        self._stop.set()

    def look(self) -> list[str]:
        """Return the names of the secrets that a restart would change, and log when they are others than before."""
        try:
            now = self._load()
        except ConfigError as error:  # only where secrets come from here and from files; managers' are kept
            logger.error("a restart would fail", reason=str(error))
            return self._outdated
        outdated = [name for name in SECRETS if _value(now, name) != _value(self._settings, name)]
        if outdated != self._outdated:
            self._outdated = outdated
            log = logger.warning if outdated else logger.info
            log("restart to use new secrets" if outdated else "secrets as at the start", names=outdated)
        SECRETS_OUTDATED.set(len(outdated))
        return outdated

    def _run(self) -> None:
        while not self._stop.wait(self._settings.secrets_refresh_s):
            try:
                self.look()
            except Exception:  # if this thread ended, nobody would hear of a change
                logger.exception("reading secrets failed")


def _value(settings: Settings, name: str) -> str | None:
    return getattr(settings, name.lower())  # type: ignore[no-any-return]
