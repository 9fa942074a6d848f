"""What compose.yaml promises of each service, as Docker Compose itself reads the file; with planted faults."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose.host import COMPOSE, ROOT
from tests.unit.tree import read as read_text

ENV = "SERVER_NAME=vote.example.org\nVOTE_IMAGE=vote-app:1\nBACKUP_IMAGE=vote-app-backup:1\nBACKUP_RECIPIENT=age1x\n"
OURS = {"web-1", "web-2", "worker-1", "worker-2", "backup", "migrate"}
STORES = {"db", "db-replica", "log", "cache"}
ONCE = {"migrate"}
SENDS_NO_MAIL = {"migrate", "backup"}  # with EMAIL_CONFIRMATION=on in settings.env they would refuse to start
PINNED = re.compile(r"[a-z/]+:v?\d+\.\d+\.\d+(-\w+)?@sha256:[0-9a-f]{64}|postgres:15\.\d+-alpine@sha256:[0-9a-f]{64}")
READERS = {  # of each secret: whoever is not here does not see it
    "FLASK_SECRET_KEY": {"web-1", "web-2"},
    "JWT_SECRET": {"web-1", "web-2"},
    "CHECKPOINT_KEY": {"worker-1", "worker-2"},
    "BACKUP_IDENTITY": {"backup"},
    "DATABASE_URL": {"migrate"},
    "SMTP_URL": {"worker-1", "worker-2"},
    "DATABASE_URL_WEB": {"web-1", "web-2"},
    "DATABASE_URL_WORKER": {"worker-1", "worker-2"},
    "DATABASE_URL_BACKUP": {"backup"},
    "postgres-password": {"db"},
    "db-replica-password": {"db", "db-replica"},
}


def read(folder: Path, text: str, override: str = "") -> dict[str, Any]:
    """The file as Docker Compose reads it, all profiles on."""
    (folder / "compose.yaml").write_text(text, "utf-8")
    if override:
        (folder / "compose.override.yaml").write_text(override, "utf-8")
    (folder / ".env").write_text(ENV, "utf-8")
    command = [str(COMPOSE), "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def findings(file: dict[str, Any]) -> list[str]:
    """What is missing, a line each."""
    found = []
    for name, one in file["services"].items():
        promises = {
            "root is read-only": one.get("read_only"),
            "no capabilities": one.get("cap_drop") == ["ALL"],
            "no new privileges": one.get("security_opt") == ["no-new-privileges:true"],
            "limits": {"mem_limit", "cpus", "pids_limit"} <= one.keys(),
            "20 s to stop": one.get("stop_grace_period") == "20s",
            "its log is rotated": one.get("logging", {}).get("options", {}).keys() >= {"max-size", "max-file"},
            "starts again": one.get("restart") == ("no" if name in ONCE else "unless-stopped"),
            "a health check": name in ONCE or one.get("healthcheck", {}).get("test", ["NONE"])[0] == "CMD",
            "no argument of it holds a space": not any(
                " " in word for word in one.get("healthcheck", {}).get("test") or ()
            ),
            "an exact image": name in OURS or PINNED.fullmatch(one["image"]),
            "no ports but nginx's": name == "nginx" or not one.get("ports"),
            "no mail server needed": name not in SENDS_NO_MAIL or one["environment"].get("EMAIL_CONFIRMATION") == "off",
            "no network": name not in STORES or one.get("network_mode") == "none",
        }
        found += [f"{name}: {promise}" for promise, is_kept in promises.items() if not is_kept]
    for secret, readers in READERS.items():
        given = {
            name for name, one in file["services"].items() if secret in [it["source"] for it in one.get("secrets", ())]
        }
        found += [] if given == readers else [f"{secret}: read by {sorted(given)}"]
    words = " ".join(file["services"]["log"]["command"])
    wanted = ("--port 0", "--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction", "--maxmemory ")
    found += [f"log: {option}" for option in wanted if option not in words]
    return found


def test_every_service_is_as_it_should_be(tmp_path: Path) -> None:
    assert findings(read(tmp_path, (ROOT / "compose.yaml").read_text("utf-8"))) == []


def test_the_override_of_the_page_leads_to_a_manager_of_secrets(tmp_path: Path) -> None:
    (override,) = re.findall(r"^```yaml\n(services:.*?)^```", read_text("docs/deploy.md"), re.MULTILINE | re.DOTALL)

    file = read(tmp_path, (ROOT / "compose.yaml").read_text("utf-8"), override)

    assert findings(file) == []
    for name in ("web-1", "web-2", "worker-1", "worker-2"):
        assert "out" in file["services"][name]["networks"]
        assert file["services"][name]["environment"]["SECRETS_FROM"] == "vault"
        assert file["services"][name]["environment"]["VOTE_ENV"] == "production"


PLANTED = {
    "root can be written": ("  read_only: true\n", ""),
    "capabilities stay": ("  cap_drop: [ALL]\n", ""),
    "privileges can be gained": ('  security_opt: ["no-new-privileges:true"]\n', ""),
    "no limit on memory": ("  mem_limit: 512m\n", ""),
    "no limit on processes": ("    pids_limit: 64\n    ulimits:", "    ulimits:"),
    "killed at once": ("  stop_grace_period: 20s\n", ""),
    "logs that grow": ("    options: {max-size: 10m, max-file: \"5\"}\n", ""),
    "stays down": ("  restart: unless-stopped\n", ""),
    "an image without a digest": ("nginx:1.28.0-alpine@sha256:", "nginx:1.28.0-alpine # "),
    "an image without a version": ("valkey:8.1.9-alpine@", "valkey:8-alpine@"),
    "a health check with a space": ("test: [CMD, pgrep, -f, certificate]", 'test: [CMD, sh, -c, "pgrep certificate"]'),
    "no health check": ("test: [CMD, pgrep, -f, certificate]", "disable: true"),
    "a store on a network": (
        "    network_mode: none\n    volumes: [log:/data",
        "    networks: [back]\n    volumes: [log:/data",
    ),
    "a port of the log": ("      - --port 0\n      - --unixsocket /run/log", "      - --unixsocket /run/log"),
    "ballots that are evicted": ("--maxmemory-policy noeviction", "--maxmemory-policy allkeys-lru"),
    "ballots in memory alone": ("--appendfsync always", "--appendfsync everysec"),
    "a backup that wants a mail server": ('      EMAIL_CONFIRMATION: "off"\n      CHECKPOINT', '      CHECKPOINT'),
    "a worker that can forge logins": (
        "secrets: [UNUSED_FLASK_SECRET_KEY, UNUSED_JWT_SECRET, CHECKPOINT_KEY",
        "secrets: [JWT_SECRET, CHECKPOINT_KEY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, fault: str) -> None:
    old, new = PLANTED[fault]
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert old in text

    assert findings(read(tmp_path, text.replace(old, new, 1))) != []
