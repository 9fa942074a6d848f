"""The steps whose programs cannot run here: scan, sign, verify, the token of a cluster. The programs are stand-ins.

What these prove is ours alone: what the programs are asked, and that no failure of theirs passes for a success.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.deploy.ci.scripts import ROOT, Ended, call
from tests.unit.tree import pyproject

DIGEST = f"sha256:{'ab' * 32}"
VERSION = pyproject()["project"]["version"]
CLEAN = '{"matches": []}'
SERIOUS = '{"matches": [{"vulnerability": {"id": "CVE-1", "severity": "Critical"}}]}'


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """A folder as the steps before leave it."""
    folder = tmp_path / "ci"
    folder.mkdir()
    for target in ("production", "backup"):
        (folder / f"{target}.tar").write_text(target, "utf-8")
        (folder / f"{target}.cdx.json").write_text("{}", "utf-8")
        (folder / f"{target}.digest").write_text(f"{DIGEST}\n", "utf-8")
    return {"CI_FOLDER": str(folder), "STAND_IN_STATE": str(tmp_path), "IMAGE": "registry.example.org/vote-app"}


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text("utf-8").splitlines()


# --- scan -------------------------------------------------------------------------------------------------------------


def scanned(tmp_path: Path, variables: dict[str, str], *, code: int, findings: str) -> Ended:
    stand_in = str(Path(__file__).parent / "stand_ins" / "grype")
    given = {"GRYPE": stand_in, "STAND_IN_CODE": str(code), "STAND_IN_FINDINGS": findings}
    return call("scan", tmp_path, variables | given, stand_ins=("grype",))


def record(tmp_path: Path) -> dict[str, object]:
    return dict(json.loads((tmp_path / "ci" / "scan-record.json").read_text("utf-8")))


def test_a_scan_that_finds_nothing_leaves_a_record(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = scanned(tmp_path, variables, code=0, findings=CLEAN)

    assert ended.code == 0, ended.said
    kept = record(tmp_path)
    assert kept["what"] == "scan"
    assert kept["passed"] is True
    assert [one["target"] for one in kept["images"]] == ["production", "backup"]  # type: ignore[attr-defined]
    assert all("--fail-on high" in line for line in calls(tmp_path))


def test_a_serious_finding_fails_the_step_and_is_in_the_record(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = scanned(tmp_path, variables, code=2, findings=SERIOUS)

    assert ended.code == 1
    assert "production backup" in ended.said
    assert record(tmp_path)["passed"] is False


@pytest.mark.parametrize(("code", "findings"), [(1, ""), (1, CLEAN), (0, ""), (0, "no data"), (2, "")])
def test_a_scanner_that_could_not_look_is_no_success(
    tmp_path: Path, variables: dict[str, str], code: int, findings: str
) -> None:
    (tmp_path / "ci" / "scan-record.json").write_text('{"passed": true}', "utf-8")

    ended = scanned(tmp_path, variables, code=code, findings=findings)

    assert ended.code == 1
    assert "could not look" in ended.said
    assert not (tmp_path / "ci" / "scan-record.json").exists(), "the record of another scan must not speak for this one"


# --- sign and verify --------------------------------------------------------------------------------------------------


def test_images_are_signed_by_digest_with_their_parts(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = call("sign", tmp_path, variables, stand_ins=("cosign",))

    assert ended.code == 0, ended.said
    names = ("registry.example.org/vote-app", "registry.example.org/vote-app-backup")
    assert [line.split()[-1] for line in calls(tmp_path)] == [f"{name}@{DIGEST}" for name in names for _ in range(2)]
    assert "attest --yes --type cyclonedx" in calls(tmp_path)[1]


def test_a_tag_is_never_signed(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "ci" / "production.digest").write_text("latest\n", "utf-8")

    ended = call("sign", tmp_path, variables, stand_ins=("cosign",))

    assert ended.code == 1
    assert "not a digest" in ended.said


def verified(tmp_path: Path, variables: dict[str, str], signed: str) -> Ended:
    given = {
        "DIGEST": DIGEST,
        "SIGNER": "https://github.com/a/b/.github/workflows/release.yml",
        "STAND_IN_SIGNED": signed,
    }
    return call("verify", tmp_path, variables | given, stand_ins=("cosign",))


def test_an_image_that_the_release_has_signed_is_ours(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = verified(tmp_path, variables, f"{variables['IMAGE']}@{DIGEST}")

    assert ended.code == 0, ended.said
    identity = r"^https://github\.com/a/b/\.github/workflows/release\.yml@refs/tags/v[0-9]+\.[0-9]+\.[0-9]+$"
    assert f"--certificate-identity-regexp {identity} " in calls(tmp_path)[0]
    assert "--certificate-oidc-issuer https://token.actions.githubusercontent.com " in calls(tmp_path)[0]


def test_an_image_that_nobody_has_signed_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    ended = verified(tmp_path, variables, f"{variables['IMAGE']}@sha256:{'0' * 64}")

    assert ended.code == 1
    assert "is not signed by" in ended.said


@pytest.mark.parametrize("step", ["sign", "verify"])
def test_a_program_that_is_missing_is_named(tmp_path: Path, variables: dict[str, str], step: str) -> None:
    given = variables | {"PATH": "/usr/bin:/bin", "DIGEST": DIGEST, "SIGNER": "https://example.org"}

    ended = call(step, tmp_path, given)

    assert ended.code == 1
    assert "cosign is missing" in ended.said


# --- the token of a cluster -------------------------------------------------------------------------------------------


@contextmanager
def issuer(status: int, answer: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A stand-in for GitHub's issuer of tokens. Its address, and what it was asked: path and Authorization."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token?api-version=1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def token(tmp_path: Path, url: str) -> Ended:
    given = {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
    return call("kubernetes-token", tmp_path, given)


def test_kubectl_gets_a_token_for_this_cluster_alone(tmp_path: Path) -> None:
    with issuer(200, '{"count": 1, "value": "head.claims.signature"}') as (url, asked):
        ended = token(tmp_path, url)

    assert ended.code == 0, ended.said
    assert json.loads(ended.said) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "head.claims.signature"},
    }
    assert asked == [("/token?api-version=1&audience=vote-production", "Bearer request-token")]


@pytest.mark.parametrize(("status", "answer"), [(403, '{"message": "no"}'), (200, "{}"), (200, '{"value": ""}')])
def test_without_a_token_kubectl_gets_none(tmp_path: Path, status: int, answer: str) -> None:
    with issuer(status, answer) as (url, _):
        ended = token(tmp_path, url)

    assert ended.code == 1
    assert "ExecCredential" not in ended.said
    assert "request-token" not in ended.said


# --- tests and tags ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "code", "expected"),
    [("== 12 passed in 3 s ==", 0, 0), ("no tests ran", 0, 1), ("0 passed", 0, 1), ("1 failed, 12 passed", 2, 1)],
)
def test_a_suite_counts_only_if_something_passed_and_nothing_failed(
    tmp_path: Path, variables: dict[str, str], says: str, code: int, expected: int
) -> None:
    given = {"SUITE": "test-slow", "SERVICES": "system", "STAND_IN_SAYS": says, "STAND_IN_CODE": str(code)}

    ended = call("test", tmp_path, variables | given, stand_ins=("make",))

    assert ended.code == expected, ended.said
    assert calls(tmp_path) == ["test-slow SERVICES=system"]


def test_a_tag_is_the_version_whose_changes_are_told(tmp_path: Path) -> None:
    assert call("check-tag", tmp_path, {"TAG": f"v{VERSION}"}).code == 0


@pytest.mark.parametrize("tag", ["v99.0.0", VERSION, f"v{VERSION}-rc1", "latest"])
def test_another_tag_is_refused(tmp_path: Path, tag: str) -> None:
    ended = call("check-tag", tmp_path, {"TAG": tag})

    assert ended.code == 1
    assert f"the tag is {tag}" in ended.said


def test_every_script_says_what_it_does() -> None:
    scripts = [path for path in (ROOT / "deploy" / "ci").iterdir() if path.read_text("utf-8").startswith("#!")]

    assert len(scripts) >= 13
    assert [path.name for path in scripts if not path.read_text("utf-8").splitlines()[1].startswith("# ")] == []
