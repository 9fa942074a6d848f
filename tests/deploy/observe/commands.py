"""Reads the commands of runbooks, and says which cannot be typed: a program, a subcommand, an option, a service or a file is
not there.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click

from tests.deploy.observe.rules import content
from tests.unit.tree import ROOT
from vote.ops.cli import cli

# Programs of every machine, with the options that runbooks use (their manuals have them).
COMMON: dict[str, str] = {
    "curl": "-s -sS --max-time -H",
    "df": "-h",
    "dmesg": "--level",
    "du": "-xh -xhL --max-depth",
    "free": "-m",
    "grep": "-E -A -c",
    "head": "-n",
    "openssl": "-connect -servername -noout -enddate",
    "pg_isready": "--host --dbname",
    "ps": "-ef -eo --sort",
    "sort": "-h",
    "tail": "-n",
    "uptime": "",
    "valkey-cli": "-s",
    "promtool": "",
    "amtool": "",
}
# Subcommands with their options: https://docs.docker.com/reference/cli/docker/, https://kubernetes.io/docs/reference/kubectl/
DOCKER: dict[str, str] = {
    "compose exec": "-T",
    "compose logs": "--tail --since",
    "compose ps": "--all",
    "compose restart": "",
    "compose up": "--detach",
    "image prune": "--all --force",
    "stats": "--no-stream",
    "system df": "",
}
KUBECTL: dict[str, str] = {
    "config set-context": "--current --namespace",
    "describe": "",
    "exec": "",
    "get": "--output --sort-by",
    "logs": "--tail --since --previous",
    "rollout restart": "",
    "rollout status": "",
    "rollout undo": "",
    "scale": "--replicas",
    "top": "",
}
KINDS = frozenset(("pods", "events", "certificates", "persistentvolumeclaims"))
OBJECTS = frozenset(
    ("deployment/vote-app", "deployment/vote-worker", "deployment/vote-heartbeat", "statefulset/vote-backup", "POD")
)
ASKED = frozenset(("/health", "/ready", "/metrics"))
ROUTES = (*ASKED, "/api/competitions/1/results", "/api/admin/gaps", "/api/admin/set-aside")


class Command(NamedTuple):
    """A line that is typed: where it stands, under which heading, and its text without the comment."""

    path: Path
    heading: str
    text: str
    comment: str


def commands(path: Path) -> Iterator[Command]:
    """Yield the commands in the shell blocks of a document. A line that is a comment as a whole is none."""
    heading, in_block = "", False
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("```"):
            in_block = line == "```sh"
        elif not in_block and line.startswith("#"):
            heading = line.lstrip("# ")
        elif in_block and line.strip() and not line.startswith("#"):
            text, _, comment = re.sub(r"\s{2,}# ", "\0", line, count=1).partition("\0")
            yield Command(path, heading, text, comment)


def problems(text: str) -> list[str]:
    """Return what is wrong with a line, each of its commands apart."""
    words = shlex.split(re.sub(r" > [\w-]+\.log$", "", text))
    found, current = [], list[str]()
    for word in [*words, "|"]:
        if word in ("|", ";") or word.endswith(";"):
            found += _problems_of([*current, *([word[:-1]] if len(word) > 1 else [])])
            current = []
        else:
            current.append(word)
    return found


def _problems_of(words: list[str]) -> list[str]:
    program, *rest = [word for word in words if word != "</dev/null"]
    if program.startswith("deploy/"):
        return _script(program, rest)
    return CHECKS.get(program, _common)(program, rest)


def _make(_program: str, rest: list[str]) -> list[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return [
        f"make {target}: no such target" for target in rest if not re.search(rf"^{target}:", makefile, re.MULTILINE)
    ]


def _git(_program: str, rest: list[str]) -> list[str]:
    return [] if rest == ["checkout", "VERSION"] else [f"git {rest}: not what a runbook does"]


def _ask(_program: str, rest: list[str]) -> list[str]:
    return [] if len(rest) == 1 and rest[0] in ASKED else [f"ask {rest}: no such route"]


def _sql(_program: str, rest: list[str]) -> list[str]:
    one_query = len(rest) == 1 and re.match(r"(EXPLAIN )?SELECT ", rest[0])
    return [] if one_query else [f"sql {rest}: one query, in quotes"]


def _shell(_program: str, rest: list[str]) -> list[str]:
    """A script that a container has from deploy/nginx."""
    return _script(rest[0].replace("/etc/vote-nginx/", "deploy/nginx/"), rest[1:])


def _common(program: str, rest: list[str]) -> list[str]:
    if program not in COMMON:
        return [f"{program}: no such program"]
    found = [f"{program} {word}: no such option" for word in _options(rest) if word not in COMMON[program].split()]
    if program == "curl":
        urls = [word for word in rest if word.startswith("http")]
        if not any(re.fullmatch(r"https?://[\w.]+(:8080|:9101)?(/\S*)", url) and url.endswith(ROUTES) for url in urls):
            found.append(f"curl {urls}: no such route")
    if program in ("promtool", "amtool"):
        found += [f"{word}: no such file" for word in rest if "/" in word and not (ROOT / word).is_file()]
    return found


def _options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]


def _vote(_program: str, words: list[str]) -> list[str]:
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(command)
        following = command.get_command(context, words[0])
        if following is None:
            return [f"vote {words[0]}: no such command"]
        command, words = following, words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return [f"vote … {command.name} {option}: no such option" for option in _options(words) if option not in known]


def _script(program: str, rest: list[str]) -> list[str]:
    path = ROOT / program
    if not path.is_file() or not path.stat().st_mode & 0o111:
        return [f"{program}: no such script"]
    return [f"{program} {option}: no such option" for option in _options(rest) if option not in path.read_text("utf-8")]


def _subcommand(program: str, words: list[str]) -> list[str]:
    table = SUBCOMMANDS[program]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in table), None)
    if name is None:
        return [f"{program} {' '.join(words[:2])}: no such command"]
    rest, inner = _split(words[len(name.split()) :], name)
    known = table[name].split()
    found = [f"{program} {name} {word}: no such option" for word in _options(rest) if word not in known]
    takes_value = {"--tail", "--since", "--output", "--sort-by", "--replicas", "--namespace"}
    named = [
        word
        for before, word in zip(["", *rest], rest, strict=False)
        if not word.startswith("-") and before not in takes_value
    ]
    known_names = _services() if program == "docker" else KINDS | OBJECTS
    found += [f"{program} {name} {word}: no such thing" for word in named if word not in known_names]
    return [*found, *(_problems_of(inner) if inner else [])]


def _split(words: list[str], name: str) -> tuple[list[str], list[str]]:
    """Split what belongs to `exec` from the command that is run inside."""
    if name == "exec":
        cut = words.index("--")
        return words[:cut], words[cut + 1 :]
    if name == "compose exec":
        cut = next(number for number, word in enumerate(words) if not word.startswith("-")) + 1
        return words[:cut], words[cut:]
    return words, []


def _services() -> frozenset[str]:
    return frozenset(content(ROOT / "compose.yaml")["services"])


SUBCOMMANDS = {"docker": DOCKER, "kubectl": KUBECTL}
CHECKS: dict[str, Callable[[str, list[str]], list[str]]] = {
    ".venv/bin/vote": _vote,
    "vote": _vote,
    "docker": _subcommand,
    "kubectl": _subcommand,
    "git": _git,
    "make": _make,
    "ask": _ask,
    "sql": _sql,
    "sh": _shell,
}
