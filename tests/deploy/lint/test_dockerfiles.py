"""Dockerfiles: hadolint, checkov, and a base that cannot change under its name; each with planted faults."""

import re
from pathlib import Path

import pytest

from tests.deploy.lint.checkers import ROOT, checkov, hadolint, tree

SEED = Path(__file__).parent / "seed" / "Dockerfile"
SKIPS = {"CKV_DOCKER_7": "it cannot read an ARG in FROM; `unpinned` below judges the base instead"}
LOCAL = "localhost/"  # an image that this machine has built itself
EXACT = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$")


def dockerfiles() -> list[Path]:
    """Every Dockerfile of the project, wherever it is; what tests break on purpose is apart."""
    return [path for path in tree("*Dockerfile*") if "seed" not in path.parts and path.suffix != ".dockerignore"]


def unpinned(text: str) -> list[str]:
    """Each FROM whose base, ARGs filled in, has no exact version with a digest and is no stage of this file."""
    values = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
    stages: set[str] = set()
    found = []
    for base, stage in re.findall(r"^FROM (\S+)(?: +(?:as|AS) +(\S+))?", text, re.MULTILINE):
        image = re.sub(r"\$\{?(\w+)\}?", lambda match: values.get(match[1], ""), base)
        if image not in stages and not image.startswith(LOCAL) and not EXACT.match(image):
            found.append(f"{base} is {image or 'nothing'}: write <name>:<exact version>@sha256:<digest>")
        stages.add(stage)
    return found


def in_folder(folder: Path, text: str) -> Path:
    path = folder / "Dockerfile"
    path.write_text(text, "utf-8")
    return path


def rules(lines: list[str]) -> set[str]:
    return {line.split()[1] for line in lines}


def test_the_dockerfiles_are_found() -> None:
    assert {"vote/Dockerfile", "deploy/ci/Dockerfile.test"} <= {str(path.relative_to(ROOT)) for path in dockerfiles()}


def test_hadolint_finds_nothing() -> None:
    assert hadolint(dockerfiles()) == []


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    for number, path in enumerate(dockerfiles()):
        (tmp_path / f"Dockerfile.{number}").write_text(path.read_text("utf-8"), "utf-8")

    assert checkov(tmp_path, framework="dockerfile", skips=SKIPS) == []


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_base_is_an_exact_version_with_its_digest(path: Path) -> None:
    assert unpinned(path.read_text("utf-8")) == []


def test_exceptions_of_hadolint_say_why() -> None:
    exceptions = [
        line for path in dockerfiles() for line in path.read_text("utf-8").splitlines() if "hadolint ignore" in line
    ]

    assert [line for line in exceptions if not re.search(r"ignore=DL\d+(,DL\d+)* +# \w+", line)] == []


def test_the_dockerfile_of_the_seed_is_refused() -> None:
    text = SEED.read_text("utf-8")

    assert {"DL3025", "DL3066"} <= rules(hadolint([SEED]))
    assert unpinned(text) == ["python:3.11-slim is python:3.11-slim: write <name>:<exact version>@sha256:<digest>"]
    # checkov passes it: a user, a health check and a tag are all that it asks of a Dockerfile.


FOR_HADOLINT = {
    "DL3008": (
        "WORKDIR /opt/vote",
        "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\nWORKDIR /opt/vote",
    ),
    "DL3000": ("WORKDIR /opt/vote", "WORKDIR opt/vote"),
    "DL3020": ("COPY vote vote", "ADD vote vote"),
    "DL3025": ('CMD ["vote", "web"]', "CMD vote web"),
    "DL3015": ("--no-install-recommends ", ""),
    "DL3066": ("USER 1000:1000", "USER vote"),
}


@pytest.mark.parametrize("rule", FOR_HADOLINT)
def test_a_fault_planted_for_hadolint_is_found(tmp_path: Path, rule: str) -> None:
    assert rule in rules(hadolint([in_folder(tmp_path, broken(*FOR_HADOLINT[rule]))]))


FOR_CHECKOV = {
    "CKV_DOCKER_2": ("HEALTHCHECK --interval", "# HEALTHCHECK --interval"),
    "CKV_DOCKER_3": ("USER ", "# USER "),
    "CKV_DOCKER_4": ("COPY vote vote", "ADD https://example.org/vote.tar vote"),
    "CKV2_DOCKER_1": ("RUN python -m venv", "RUN sudo python -m venv"),
}


def test_faults_planted_for_checkov_are_found(tmp_path: Path) -> None:
    for rule, change in FOR_CHECKOV.items():
        (tmp_path / f"Dockerfile.{rule}").write_text(broken(*change), "utf-8")

    found = checkov(tmp_path, framework="dockerfile", skips=SKIPS)

    assert {(line.split(":")[0].rpartition(".")[2], line.split()[1]) for line in found} >= {(r, r) for r in FOR_CHECKOV}


@pytest.mark.parametrize(
    ("old", "new"), [(r"@sha256:\w+", ""), (r":3\.11\.\d+-", ":3.11-"), ("ARG PYTHON=.*", "ARG PYTHON")]
)
def test_a_base_that_may_change_is_found(old: str, new: str) -> None:
    text = (ROOT / "vote" / "Dockerfile").read_text("utf-8")

    assert unpinned(re.sub(old, new, text))


def broken(old: str, new: str) -> str:
    text = (ROOT / "vote" / "Dockerfile").read_text("utf-8")
    assert old in text
    return text.replace(old, new)
