"""One drill on servers, web, worker and backups of its own; prints the verdict. Exit code 1 when anything is missing.

DRILL_VOTES    ballots to be cast (default 30,000)
DRILL_RATE     ballots a second (default 400)
DRILL_REPORT   a file to write the report to, as Markdown
"""

import os
import sys
import tempfile
from pathlib import Path

from tests.drill.drill import Drill

DEFAULT_VOTES = 30_000


def main() -> int:
    """The drill."""
    votes = int(os.environ.get("DRILL_VOTES", str(DEFAULT_VOTES)))
    rate = float(os.environ.get("DRILL_RATE", "400"))
    server_source = "system" if os.environ.get("SERVICES") == "system" else "embedded"
    print(f"Drill: {votes:,} ballots at {rate:g}/s; the database is destroyed on the way", flush=True)
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        found = Drill(server_source, Path(folder), votes, rate=rate, say=lambda line: print(line, flush=True)).run()
    print("\n" + found.line(), flush=True)
    if report := os.environ.get("DRILL_REPORT"):
        lines = "\n".join(f"- {line}" for line in found.story)
        Path(report).write_text(f"# Drill report\n\n**{found.line()}**\n\n{lines}\n", encoding="utf-8")
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
