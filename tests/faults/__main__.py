"""Plants each fault into a copy of the tree and runs the tests that must catch it. Exit code 1 when one goes unseen."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.access import ACCESS_FAULTS
from tests.faults.accounts import ACCOUNT_FAULTS
from tests.faults.attacks import ATTACK_FAULTS
from tests.faults.ballot_log import BALLOT_LOG_FAULTS
from tests.faults.casting import CASTING_FAULTS
from tests.faults.clocks import CLOCK_FAULTS
from tests.faults.closing import CLOSING_FAULTS
from tests.faults.colours import COLOUR_FAULTS
from tests.faults.connections import CONNECTION_FAULTS
from tests.faults.copies import COPY_FAULTS
from tests.faults.fault import Fault
from tests.faults.flows import FLOW_FAULTS
from tests.faults.forms import FORM_FAULTS
from tests.faults.growth import GROWTH_FAULTS
from tests.faults.hygiene import HYGIENE_FAULTS
from tests.faults.identities import IDENTITY_FAULTS
from tests.faults.keeping import KEEPING_FAULTS
from tests.faults.limits import LIMIT_FAULTS
from tests.faults.load import LOAD_FAULTS
from tests.faults.logs import LOG_FAULTS
from tests.faults.measuring import MEASURING_FAULTS
from tests.faults.migrating import MIGRATION_FAULTS
from tests.faults.numbers import NUMBER_FAULTS
from tests.faults.outages import OUTAGE_FAULTS
from tests.faults.pages import PAGE_FAULTS
from tests.faults.pools import POOL_FAULTS
from tests.faults.promises import PROMISE_FAULTS
from tests.faults.recording import RECORDING_FAULTS
from tests.faults.secret_stores import SECRET_FAULTS
from tests.faults.set_backs import SET_BACK_FAULTS
from tests.faults.soak import SOAK_FAULTS
from tests.faults.starting import STARTING_FAULTS
from tests.faults.strangers import STRANGER_FAULTS
from tests.faults.times_and_lists import LIST_FAULTS, TIME_FAULTS
from tests.faults.voters import VOTER_FAULTS

ALL_FAULTS = (
    *BALLOT_LOG_FAULTS,
    *RECORDING_FAULTS,
    *CLOSING_FAULTS,
    *VOTER_FAULTS,
    *KEEPING_FAULTS,
    *ATTACK_FAULTS,
    *OUTAGE_FAULTS,
    *PAGE_FAULTS,
    *COPY_FAULTS,
    *CONNECTION_FAULTS,
    *LOAD_FAULTS,
    *ACCESS_FAULTS,
    *GROWTH_FAULTS,
    *HYGIENE_FAULTS,
    *SECRET_FAULTS,
    *LIMIT_FAULTS,
    *MIGRATION_FAULTS,
    *ACCOUNT_FAULTS,
    *IDENTITY_FAULTS,
    *POOL_FAULTS,
    *PROMISE_FAULTS,
    *SOAK_FAULTS,
    *CASTING_FAULTS,
    *NUMBER_FAULTS,
    *STARTING_FAULTS,
    *TIME_FAULTS,
    *LIST_FAULTS,
    *CLOCK_FAULTS,
    *STRANGER_FAULTS,
    *FLOW_FAULTS,
    *COLOUR_FAULTS,
    *SET_BACK_FAULTS,
    *FORM_FAULTS,
    *LOG_FAULTS,
    *MEASURING_FAULTS,
)
ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".vote", "build", "__pycache__", "screenshots")
TEST_WITHIN_S = 180  # a fault may also show as a test that never ends


def plant(fault: Fault, tree: Path) -> None:
    """Break the copy. Raises when the code the fault replaces is not there exactly once: the table must follow the code."""
    path = tree / fault.path
    text = path.read_text(encoding="utf-8")
    if text.count(fault.before) != 1:
        raise SystemExit(f"{fault.name}: {fault.path} holds the code to be replaced {text.count(fault.before)} times")
    path.write_text(text.replace(fault.before, fault.after), encoding="utf-8")


def caught_by(fault: Fault, tree: Path) -> str | None:
    """The test that went red, None when all stayed green or did not run at all."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *sys.argv[2:], *fault.tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    try:
        run = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TEST_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        return "a test that did not end"
    if run.returncode not in (0, 1):
        print(f"{fault.name}: the tests did not run\n{run.stdout[-3000:]}{run.stderr[-1000:]}", flush=True)
        return None
    red = re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE)
    return red[1] if red and run.returncode else None


def tried(fault: Fault) -> tuple[str | None, float]:
    """Plant it in a copy of the tree: the test that went red, and the seconds its tests took."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        plant(fault, tree)
        began = time.monotonic()
        return caught_by(fault, tree), time.monotonic() - began


def main() -> int:
    """Try all faults, or those whose name contains the first argument, as many at a time as JOBS says."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    faults, unseen = [fault for fault in ALL_FAULTS if wanted in fault.name], 0
    with ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        for number, (fault, (test, seconds)) in enumerate(zip(faults, pool.map(tried, faults), strict=True), 1):
            unseen += test is None
            verdict = f"caught by {test}" if test else "NOT SEEN"
            print(f"{number:2}/{len(faults)}  {fault.name} ({fault.rule}): {verdict}, {seconds:.0f} s", flush=True)
    print(f"\n{len(faults)} planted, {len(faults) - unseen} caught, {unseen} not seen")
    return 1 if unseen or not faults else 0


if __name__ == "__main__":
    sys.exit(main())
