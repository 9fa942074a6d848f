"""The tests of this folder can fail: each fault, planted in a copy of deploy/ci, makes one of them fail."""

import inspect
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.deploy.ci import scripts, test_deploy, test_images, test_steps
from tests.deploy.ci.conftest import Pipeline, Pushed
from tests.deploy.ci.test_deploy import Cluster, cluster
from tests.deploy.ci.test_images import built
from tests.deploy.ci.test_steps import variables

__all__ = ["Cluster", "Pipeline", "Pushed", "built", "cluster", "variables"]  # fixtures that the tests ask for


class Fault(NamedTuple):
    """A piece of a script that occurs once, what breaks it, and the test that must fail, with its values."""

    script: str
    old: str
    new: str
    test: Callable[..., None]
    values: Mapping[str, Any] = MappingProxyType({})


FAULTS = {
    "a rollout that fails is taken for one that did not": Fault(
        "deploy",
        'rolled_out "$deployment" || go_back',
        'rolled_out "$deployment" || true',
        test_deploy.test_an_image_that_never_gets_ready_goes_back_by_itself,
    ),
    "nobody looks whether people reach it": Fault(
        "deploy",
        "  is_reached || go_back",
        "  is_reached || true",
        test_deploy.test_an_image_that_people_do_not_reach_goes_back_by_itself,
    ),
    "the way back leads nowhere": Fault(
        "deploy",
        '"vote=$before" >/dev/null ||',
        '"vote=$IMAGE@$DIGEST" >/dev/null ||',
        test_deploy.test_an_image_that_never_gets_ready_goes_back_by_itself,
    ),
    "a tag is as good as a digest": Fault(
        "prelude.sh",
        "grep -Eqx 'sha256:[0-9a-f]{64}'",
        "grep -Eq .",
        test_deploy.test_only_a_digest_is_deployed,
        {"digest": "latest"},
    ),
    "who cancels leaves the new image": Fault(
        "deploy",
        "  trap 'go_back' INT TERM",
        "  trap 'exit 1' INT TERM",
        test_deploy.test_a_deployment_that_is_canceled_goes_back,
    ),
    "one host keeps what people do not reach": Fault(
        "deploy",
        "  deploy/compose/rollback ||",
        "  true ||",
        test_deploy.test_on_one_host_what_people_do_not_reach_is_rolled_back,
    ),
    "the health check is dropped": Fault(
        "build",
        "--format docker --layers",
        "--format oci --layers",
        test_images.test_an_image_says_its_version_and_commit_and_keeps_its_health_check,
    ),
    "every build has its own time": Fault(
        "build",
        '--timestamp "$SOURCE_DATE_EPOCH" ',
        "",
        test_images.test_one_commit_built_twice_has_the_same_layers_and_settings,
    ),
    "an empty SBOM passes": Fault(
        "sbom",
        '[ "$found" -gt 0 ]',
        '[ "$found" -ge 0 ]',
        test_images.test_an_sbom_that_lists_nothing_is_refused,
    ),
    "a scanner that crashed has found nothing": Fault(
        "scan",
        '[ "$code" -eq 2 ] ||',
        '[ "$code" -lt 9 ] ||',
        test_steps.test_a_scanner_that_could_not_look_is_no_success,
        {"code": 1, "findings": test_steps.CLEAN},
    ),
    "what was found does not fail the step": Fault(
        "scan",
        '[ "$code" -eq 0 ] || failed=',
        '[ "$code" -ge 0 ] || failed=',
        test_steps.test_a_serious_finding_fails_the_step_and_is_in_the_record,
    ),
    "an older record speaks for this scan": Fault(
        "scan",
        'rm -f "$record"\n',
        "",
        test_steps.test_a_scanner_that_could_not_look_is_no_success,
        {"code": 1, "findings": ""},
    ),
    "anyone's signature is ours": Fault(
        "verify",
        '"^$pattern@refs/tags/v[0-9]+\\\\.[0-9]+\\\\.[0-9]+\\$"',
        '".*"',
        test_steps.test_an_image_that_the_release_has_signed_is_ours,
    ),
    "an empty suite passes": Fault(
        "test",
        "[1-9][0-9]* passed",
        "[0-9]* passed",
        test_steps.test_a_suite_counts_only_if_something_passed_and_nothing_failed,
        {"says": "0 passed", "code": 0, "expected": 1},
    ),
    "the exit code of the suite is lost in a pipe": Fault(
        "test",
        ' || echo "make ended with $?" >"$log.failed"',
        "",
        test_steps.test_a_suite_counts_only_if_something_passed_and_nothing_failed,
        {"says": "1 failed, 12 passed", "code": 2, "expected": 1},
    ),
}


@pytest.fixture
def plant(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], None]:
    """Plants a fault in a copy of deploy/ci, which all calls go to from then on."""

    def planted(fault: Fault) -> None:
        copy = tmp_path_factory.mktemp("planted")
        shutil.copytree(scripts.ROOT / "deploy" / "ci", copy / "deploy" / "ci")
        for name in ("pyproject.toml", "CHANGELOG.md", "requirements-deploy.txt"):
            shutil.copy(scripts.ROOT / name, copy)
        (copy / ".git").write_text(f"gitdir: {_git_folder()}\n", "utf-8")
        path = copy / "deploy" / "ci" / fault.script
        text = path.read_text("utf-8")
        assert text.count(fault.old) == 1, f"{fault.script} holds {fault.old!r} {text.count(fault.old)} times"
        path.write_text(text.replace(fault.old, fault.new), "utf-8")
        monkeypatch.setattr(scripts, "script", lambda name: copy / "deploy" / "ci" / name)
        monkeypatch.setattr(test_deploy, "script", scripts.script)

    return planted


def _git_folder() -> Path:
    """Return the repository's own folder, also where the checkout is a worktree."""
    done = scripts.subprocess.run(
        ["git", "-c", "safe.directory=*", "rev-parse", "--absolute-git-dir"],
        cwd=scripts.ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(done.stdout.strip())


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_seen(request: pytest.FixtureRequest, plant: Callable[[Fault], None], fault: Fault) -> None:
    plant(fault)
    asked = [name for name in inspect.signature(fault.test).parameters if name not in fault.values]
    given = {name: request.getfixturevalue(name) for name in asked}

    with pytest.raises(AssertionError):
        fault.test(**given, **fault.values)
