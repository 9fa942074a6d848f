"""What the same PostgreSQL does without us: `pgbench`, one INSERT … ON CONFLICT per transaction, 16 clients, durable.

The table is `votes` with its key and its indexes and without foreign keys; every INSERT is a commit on disk.
"""

import re
import subprocess

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.ground import Ground

CLIENTS = 16
THREADS = 2
SCRIPT = r"""\set voter random(1, 2000000000)
INSERT INTO pgbench_votes (competition_id, user_id, choice, created_at) VALUES (1, :voter, 'a', now())
    ON CONFLICT (competition_id, user_id) DO NOTHING;
"""
ENVIRONMENT = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}


def prepare(ground: Ground) -> None:
    """Make the table and the script."""
    with psycopg.connect(ground.plain_url) as connection:
        connection.execute("CREATE TABLE pgbench_votes (LIKE votes INCLUDING ALL)")
    (ground.folder / "single-row.sql").write_text(SCRIPT, encoding="utf-8")


def measure(ground: Ground, seconds: float, *, protocol: str = "prepared") -> float:
    """Rows per second."""
    target = conninfo_to_dict(ground.plain_url)
    command = [str(ground.pair.programs.postgres_bin / "pgbench"), "--no-vacuum", f"--protocol={protocol}"]
    command += [f"--client={CLIENTS}", f"--jobs={THREADS}", f"--time={max(1, round(seconds))}"]
    done = subprocess.run(
        [*command, f"--file={ground.folder / 'single-row.sql'}"],
        env={"LC_ALL": "C"} | {name: str(target[field]) for name, field in ENVIRONMENT.items()},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if found is None or "number of failed transactions: 0 " not in done.stdout:
        raise RuntimeError(f"pgbench: {done.stdout}{done.stderr}")
    return float(found[1])
