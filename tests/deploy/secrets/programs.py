"""Programs of `.venv-deploy`, run in the background on loopback and ended with everything they started."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.stack import wait_until
from tests.unit.tree import ROOT
from vote.ops.process import die_with_parent

PROGRAMS = Path(os.environ.get("DEPLOY_PROGRAMS", ROOT / ".venv-deploy" / "bin"))
START_S = 30.0


def program(name: str) -> str:
    """The path of a program. Fails, rather than skips, where it is missing."""
    path = PROGRAMS / name
    assert path.exists(), f"{path} is missing: `make secrets-test` installs it"
    return str(path)


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, is_ready: Callable[[], bool], environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ready. Its output goes to `log`."""
    parent = os.getpid()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **(environ or {})},
            stdout=output,
            stderr=output,
            cwd=log.parent,
            process_group=0,
            preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),  # noqa: PLW1509  # only prctl and getppid run
        )
    try:

        def ready() -> bool:
            assert process.poll() is None, log.read_text("utf-8")[-3000:]
            with contextlib.suppress(OSError):
                return is_ready()
            return False

        wait_until(ready, what=f"{command[0]} is ready", within=START_S)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
