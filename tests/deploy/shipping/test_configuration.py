"""The files themselves: rsyslogd reads both, the certificates last a year, and what is old goes."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.deploy.shipping.site import HOST, KIT, PATH, STORE, Site, certificates

DAY_S = 86_400
KEPT_DAYS = 90
NO_FINDINGS = (
    "config validation run",
    "pthread_attr_setschedpolicy",
)  # a greeting, and the tests' own class of processes


def findings(path: Path) -> list[str]:
    """Return what `rsyslogd -N1` says of a configuration, beside its greeting."""
    command = ["rsyslogd", "-N1", "-f", str(path)]
    done = subprocess.run(
        command, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, timeout=60, check=False
    )
    said = [text for text in done.stderr.splitlines() if not any(words in text for words in NO_FINDINGS)]
    return said or ([f"ended with {done.returncode}"] if done.returncode else [])


@pytest.mark.parametrize("name", ["host", "store"])
def test_rsyslogd_finds_nothing(site: Site, name: str) -> None:
    assert findings(site.folder / name / "conf") == []


@pytest.mark.parametrize("name", ["host", "store"])
def test_rsyslogd_finds_a_planted_fault(site: Site, name: str) -> None:
    path = site.folder / name / "conf"
    path.write_text(path.read_text("utf-8").replace("tls.authMode", "tls.authModus"), "utf-8")

    assert findings(path) != []


def test_certificates_name_their_host_and_stay_when_made_again(tmp_path: Path) -> None:
    certificates(tmp_path, STORE)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith((STORE, "ca.pem"))}

    certificates(tmp_path, STORE, HOST)

    assert before == {name: (tmp_path / name).read_bytes() for name in before}
    for name in (STORE, HOST):
        command = ["openssl", "verify", "-CAfile", "ca.pem", "-verify_hostname", name, f"{name}.pem"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
        assert (tmp_path / f"{name}.key").stat().st_mode & 0o077 == 0


def test_lines_are_compressed_after_a_day_and_deleted_after_ninety(tmp_path: Path) -> None:
    ages = {
        "2026-11-30.jsonl": 0.5,
        "2026-11-28.jsonl": 2,
        "2026-11-28.other.log": 2,
        "2026-09-02.jsonl.gz": KEPT_DAYS - 1.5,
        "2026-08-30.jsonl.gz": KEPT_DAYS + 1.5,
    }
    for name, days in ages.items():
        (tmp_path / name).write_text("{}\n", "utf-8")
        os.utime(tmp_path / name, (time.time() - days * DAY_S,) * 2)

    subprocess.run([KIT / "retention", tmp_path], check=True, timeout=60)

    kept = {"2026-11-30.jsonl", "2026-11-28.jsonl.gz", "2026-11-28.other.log.gz", "2026-09-02.jsonl.gz"}
    assert {path.name for path in tmp_path.iterdir()} == kept
