"""Compose files: Docker Compose itself reads each, all profiles on; with planted faults."""

import re
from pathlib import Path

import pytest

from tests.deploy.lint.checkers import ROOT, compose, tree

MAIN = ROOT / "compose.yaml"
SMALL = """
services:
  web:
    image: example.org/vote:1.0.0
    command: ["vote", "web"]
    stop_grace_period: 20s
    networks: [front]
    volumes: ["run:/run/db"]
    secrets: [key]
    depends_on:
      db: {condition: service_healthy}
  db:
    image: example.org/db:1.0.0
networks:
  front: {internal: true}
volumes:
  run: {}
secrets:
  key: {file: ./secrets/key}
"""


def compose_files() -> list[Path]:
    """Every Compose file at the root of the project."""
    return tree("compose*.yaml", "compose*.yml")


def variables(folder: Path, text: str) -> Path:
    """An `.env` with a word for each variable that a file has no default for."""
    names = sorted(set(re.findall(r"\$\{(\w+)(?:\}|:?\?)", text)))
    path = folder / "variables.env"
    path.write_text("".join(f"{name}=vote.example.org\n" for name in names), "utf-8")
    return path


def test_there_is_a_compose_file() -> None:
    assert MAIN in compose_files()


@pytest.mark.parametrize("path", compose_files(), ids=lambda path: path.name)
def test_docker_compose_finds_nothing(tmp_path: Path, path: Path) -> None:
    env = variables(tmp_path, MAIN.read_text("utf-8") + path.read_text("utf-8"))

    assert compose(path, env) == [] if path == MAIN else compose(MAIN, env, path) == []


def small(folder: Path, old: str = "", new: str = "") -> list[str]:
    assert old in SMALL
    path = folder / "compose.yaml"
    path.write_text(SMALL.replace(old, new) if old else SMALL, "utf-8")
    return compose(path, variables(folder, SMALL))


def test_a_file_without_a_fault_passes(tmp_path: Path) -> None:
    assert small(tmp_path) == []


PLANTED = {
    "a key that does not exist": ("stop_grace_period", "stop_grace_time"),
    "a network that nobody defines": ("networks: [front]", "networks: [frnt]"),
    "a volume that nobody defines": ("run:/run/db", "rum:/run/db"),
    "a secret that nobody defines": ("secrets: [key]", "secrets: [kee]"),
    "a service that is not there": ("      db: {condition", "      bd: {condition"),
    "no image": ("    image: example.org/db:1.0.0", "    init: true"),
    "no duration": ("20s", "20 apples"),
    "no condition": ("service_healthy", "service_happy"),
    "broken YAML": ('["vote", "web"]', '["vote", "web"'),
    "a variable that is not set": ("example.org/vote:1.0.0", "example.org/vote:${VERSION_THAT_NOBODY_SETS?}"),
}


@pytest.mark.parametrize(("old", "new"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, old: str, new: str) -> None:
    assert small(tmp_path, old, new)
