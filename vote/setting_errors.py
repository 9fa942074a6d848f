"""Say what is wrong with settings: a line each, with the name and the reason, never the value."""

from collections.abc import Iterable

from pydantic import ValidationError

from vote.errors import ConfigError
from vote.production_rules import HOW_TO_MAKE_ONE, SIGNING_SECRETS

WRONG = "The settings are wrong:"
RANDOM = (*SIGNING_SECRETS, "CHECKPOINT_KEY")  # secrets that are random strings


def refused(reasons: Iterable[str]) -> ConfigError:
    """Return an error with a line per reason, each without its full stop."""
    return ConfigError("\n".join([WRONG, *(f"  {reason}." for reason in reasons)]))


def invalid(error: ValidationError) -> ConfigError:
    """Return an error with a line per setting that the model refused."""
    lines = [WRONG]
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in problem["loc"][:1]).upper()
        hint = f" Make one with: {HOW_TO_MAKE_ONE}" if name in RANDOM else ""
        lines.append(f"  {name + ': ' if name else ''}{problem['msg'].removeprefix('Value error, ')}.{hint}")
    return ConfigError("\n".join(lines))
