"""A supervisor over shell commands, for tests that kill it: `python -m tests.integration.ops.supervised name=command …`.

A command says `started` when it is ready to be killed: that appends its name and process id to $STARTED.
"""

import os
import signal
import sys

from vote.ops.process import ProcessSpec
from vote.ops.supervisor import Supervisor


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    parts = [argument.split("=", 1) for argument in sys.argv[1:]]
    with Supervisor(say) as supervisor:
        for name, command in parts:
            script = f'started() {{ echo "{name} $$" >> "$STARTED"; }}; {command}'
            part = ProcessSpec(
                name=name,
                command=["/bin/sh", "-c", script],
                environ=dict(os.environ),
                stop_signal=signal.SIGTERM,
                grace_s=0.3,
            )
            supervisor.start(part)
        say("watching")
        supervisor.watch()
