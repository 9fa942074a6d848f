"""Writes the dated record of a proof: what ran, when, on which commit, whether it passed, and its figures.

    python -m tests.deploy.record NAME FIGURES CODE SECONDS

FIGURES is the file that tests/deploy/conftest.py wrote, CODE the exit code of the tests, which becomes this command's. The
record goes to build/records/; one that failed is written too, or an older success would speak for this commit.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.unit.tree import ROOT, git

RECORDS = ROOT / "build" / "records"


def record(name: str, figures: Path, code: int, seconds: float) -> Path:
    """Write a record; return its path."""
    noted: dict[str, dict[str, Any]] = json.loads(figures.read_text("utf-8") or "{}")
    now = datetime.now(UTC)
    content = {
        "what": name,
        "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": git("rev-parse", "HEAD").stdout.strip(),
        "changed_since": bool(git("status", "--porcelain").stdout.strip()),
        "passed": code == 0,
        "seconds": round(seconds),
        "digest": next((one["digest"] for one in noted.values() if "digest" in one), None),
        "figures": {node.rpartition("::")[2]: properties for node, properties in noted.items()},
    }
    RECORDS.mkdir(parents=True, exist_ok=True)
    path = RECORDS / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return path


def main() -> int:
    """Write the record; end with the code of the tests."""
    name, figures, code, seconds = sys.argv[1:]
    print(f"Record: {record(name, Path(figures), int(code), float(seconds)).relative_to(ROOT)}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
