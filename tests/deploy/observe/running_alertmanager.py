"""A real Alertmanager with a configuration under test: takes alerts, and says which of them others silence."""

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.deploy.observe.checkers import program
from tests.stack import free_port, wait_until

Labels = dict[str, str]


class RunningAlertmanager:
    """An Alertmanager with a folder of its own. It opens one port, and none for a cluster."""

    def __init__(self, config: Path, folder: Path) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._log = (folder / "alertmanager.log").open("wb")
        command = [
            program("prometheus-alertmanager", "alertmanager"),  # Debian's name, and everybody else's
            f"--config.file={config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, cwd=folder)

    def __enter__(self) -> "RunningAlertmanager":
        wait_until(self._is_ready, what="Alertmanager is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def fire(self, alerts: list[Labels]) -> None:
        """Send alerts, and wait until they are known."""
        self._call([{"labels": labels} for labels in alerts])
        wait_until(lambda: all(labels in [one["labels"] for one in self._call()] for labels in alerts))

    def silenced(self) -> set[str]:
        """Return the names of the alerts that another one silences now."""
        return {one["labels"]["alertname"] for one in self._call() if one["status"]["inhibitedBy"]}

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, "Alertmanager has ended; see alertmanager.log"
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _call(self, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self._url}/api/v2/alerts", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read() or "null")
