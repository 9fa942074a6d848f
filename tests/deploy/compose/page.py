"""The commands of docs/deploy.md, each run once: those of deploy/compose by the tests of what they do."""

import re

from tests.unit.tree import read


def commands(heading: str) -> list[str]:
    """Return every line of the `sh` blocks below a heading, without its comment."""
    section = re.search(rf"^## {heading}\n(.*?)^## ", read("docs/deploy.md"), re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    blocks = re.findall(r"^```sh\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


ONE_HOST = commands("One host")
SCRIPTS = {line.split()[0].removeprefix("deploy/compose/"): line for line in ONE_HOST if line.startswith("deploy/")}
