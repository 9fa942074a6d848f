"""build, sbom and push: real buildah, syft and a real registry."""

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.ci.conftest import Pipeline, Pushed
from tests.deploy.ci.containers import digest_in_registry
from tests.deploy.ci.scripts import ROOT, call
from tests.unit.tree import git, pyproject

SYFT = ROOT / ".venv-deploy" / "bin" / "syft"


@pytest.fixture(scope="module")
def built(pipeline: Pipeline) -> dict[str, str]:
    """Both images of a release, and the variables for their next steps."""
    return pipeline.build("both", targets="production backup") | ({"SYFT": str(SYFT)} if SYFT.exists() else {})


def configuration(archive: Path) -> dict[str, Any]:
    """The configuration of the image in an archive."""
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        config = tar.extractfile(json.load(manifest)[0]["Config"])
        assert config is not None
        return dict(json.load(config))


def test_an_image_says_its_version_and_commit_and_keeps_its_health_check(built: dict[str, str]) -> None:
    config = configuration(Path(built["CI_FOLDER"], "production.tar"))["config"]

    assert config["Labels"]["org.opencontainers.image.version"] == pyproject()["project"]["version"]
    assert config["Labels"]["org.opencontainers.image.revision"] == git("rev-parse", "HEAD").stdout.strip()
    assert config.get("Healthcheck", {}).get("Test") == ["CMD", "/bin/busybox", "true"]


def test_each_target_is_an_image_of_its_own(built: dict[str, str]) -> None:
    folder = Path(built["CI_FOLDER"])

    commands = {name: configuration(folder / f"{name}.tar")["config"]["Cmd"] for name in ("production", "backup")}

    assert commands["production"] != commands["backup"]


def test_one_commit_built_twice_has_the_same_layers_and_settings(pipeline: Pipeline, built: dict[str, str]) -> None:
    again = pipeline.folder / "again"

    ended = call("build", pipeline.folder, built | {"CI_FOLDER": str(again), "BUILD_OPTIONS": "--no-cache"})

    assert ended.code == 0, ended.said
    one, other = (configuration(folder / "production.tar") for folder in (Path(built["CI_FOLDER"]), again))
    assert one["rootfs"] == other["rootfs"]
    assert one["created"] == other["created"]
    assert one["config"] | {"Hostname": ""} == other["config"] | {"Hostname": ""}, "buildah draws that name at random"


def test_the_sbom_lists_parts_of_debian_and_of_python(pipeline: Pipeline, built: dict[str, str]) -> None:
    ended = call("sbom", pipeline.folder, built)

    assert ended.code == 0, ended.said
    sbom = json.loads(Path(built["CI_FOLDER"], "production.cdx.json").read_text("utf-8"))
    assert sbom["bomFormat"] == "CycloneDX"
    assert {part["name"] for part in sbom["components"]} >= {"busybox-static", "vote-app"}
    assert Path(built["CI_FOLDER"], "backup.cdx.json").exists()


def test_an_sbom_that_lists_nothing_is_refused(pipeline: Pipeline) -> None:
    variables = pipeline.build("empty", has_parts=False) | ({"SYFT": str(SYFT)} if SYFT.exists() else {})

    ended = call("sbom", pipeline.folder, variables)

    assert ended.code == 1
    assert "lists no part of kind deb" in ended.said


def test_a_pushed_image_is_known_by_the_digest_that_the_registry_gives_it(
    pipeline: Pipeline, built: dict[str, str]
) -> None:
    ended = call("push", pipeline.folder, built)

    assert ended.code == 0, ended.said
    for target, name in (("production", "vote-app"), ("backup", "vote-app-backup")):
        digest = digest_in_registry(pipeline.registry, name, "both")
        assert ended.outputs[target] == digest
        assert Path(built["CI_FOLDER"], f"{target}.digest").read_text("utf-8").strip() == digest
        pulled = subprocess.run(
            ["podman", "pull", "--quiet", "--tls-verify=false", f"{pipeline.registry}/{name}@{digest}"],
            env={**os.environ, **pipeline.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert pulled.returncode == 0, pulled.stderr


def test_what_was_not_built_is_not_pushed(pipeline: Pipeline, first: Pushed) -> None:
    variables = pipeline.variables | {
        "IMAGE": pipeline.image,
        "TAG": "x",
        "CI_FOLDER": str(pipeline.folder / "nothing"),
    }

    ended = call("push", pipeline.folder, variables)

    assert ended.code == 1
    assert "build it first" in ended.said


def test_an_engine_that_fails_stops_the_step(pipeline: Pipeline, built: dict[str, str]) -> None:
    ended = call("build", pipeline.folder, built | {"DOCKERFILE": "/nowhere/Dockerfile"})

    assert ended.code != 0


@pytest.mark.parametrize("name", ["IMAGE", "TAG"])
def test_a_setting_that_is_missing_is_named(pipeline: Pipeline, built: dict[str, str], name: str) -> None:
    ended = call("push", pipeline.folder, {key: value for key, value in built.items() if key != name})

    assert ended.code == 2
    assert f"set {name}:" in ended.said
