"""Controls that read files: dangerous code, secrets in the tree and its history, advisories of what we depend on."""

import json
import subprocess
import tempfile
from pathlib import Path

from tests.security.tools import ROOT, CannotLook, run

DANGEROUS = "import subprocess\nsubprocess.run(input(), shell=True)\neval(input())\n"
# Where a finding of this kind is none: passwords of accounts and servers that live for one test, examples with
# `password` for a password, a key with `no` for its content, sentences about passwords.
MEANT = (
    ("tests/", "Secret Keyword"),
    ("bench/", "Secret Keyword"),
    ("docs/", "Secret Keyword"),
    ("docs/", "Basic Auth Credentials"),
    ("deploy/alertmanager/alertmanager_test.yml", "Secret Keyword"),  # names of secrets, in alerts about their age
    ("deploy/prometheus/rules/", "Secret Keyword"),
    ("tests/unit/", "Basic Auth Credentials"),
    ("tests/integration/worker/maintenance/test_signing.py", "Private Key"),
    (".env.example", "Basic Auth Credentials"),
    (".env.example", "Secret Keyword"),
    ("vote/config.py", "Basic Auth Credentials"),
    ("pyproject.toml", "Secret Keyword"),  # modules of secret managers, and below the paths where those keep secrets
    ("vote/ops/cli.py", "Secret Keyword"),
    ("vote/secret_store/", "Secret Keyword"),
    ("vote/web/account/page.py", "Secret Keyword"),
    ("vote/web/dashboard/audit_text.py", "Secret Keyword"),
    ("vote/web/account/email_and_devices.py", "Secret Keyword"),
    ("vote/web/admin/audit_text.py", "Secret Keyword"),
    # The same files under the names they had earlier in the history:
    ("tests/integration/worker/keeping/test_signing.py", "Private Key"),
    ("tests/integration/worker/test_keeping.py", "Private Key"),
    ("vote/web/account_page.py", "Secret Keyword"),
    ("vote/web/deeds.py", "Secret Keyword"),
    ("vote/web/own_login.py", "Secret Keyword"),
    ("vote/web/person_deeds.py", "Secret Keyword"),
)
ENTROPY = ("Base64HighEntropyString", "HexHighEntropyString")  # every hash of a lock file is one


class Code:
    """Dangerous patterns of Python: medium severity and above (bandit)."""

    name, tool = "dangerous code", "bandit"

    def planted(self) -> list[str]:
        """`eval` and a shell."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "hole.py").write_text(DANGEROUS, encoding="utf-8")
            return _bandit(folder)

    def ours(self) -> list[str]:
        """The package."""
        return _bandit("vote")


def _bandit(where: str) -> list[str]:
    ended = run("bandit", "--quiet", "--severity-level", "medium", "--format", "json", "--recursive", where)
    try:
        report = json.loads(ended.stdout)
    except ValueError as error:
        raise CannotLook(f"bandit: {ended.stderr.strip()[-500:]}") from error
    if report["errors"]:
        raise CannotLook(f"bandit could not read: {report['errors']}")
    return [f"{one['filename']}:{one['line_number']} {one['test_id']} {one['issue_text']}" for one in report["results"]]


class Secrets:
    """Keys and passwords, in every version of every file that git holds (detect-secrets)."""

    name, tool = "secrets in tree and history", "detect-secrets"

    def planted(self) -> list[str]:
        """A key that was committed, and removed in the next commit."""
        with tempfile.TemporaryDirectory() as folder:
            where = Path(folder)
            git = ("git", "-C", folder, "-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
            subprocess.run([*git, "init", "--quiet"], check=True)
            (where / "keys.py").write_text(f'AWS = "AKIA{"Q7" * 8}"\n', encoding="utf-8")
            subprocess.run([*git, "add", "keys.py"], check=True)
            subprocess.run([*git, "commit", "--quiet", "--message", "Add it"], check=True)
            subprocess.run([*git, "rm", "--quiet", "keys.py"], check=True)
            subprocess.run([*git, "commit", "--quiet", "--message", "Take it away"], check=True)
            return _secrets(where)

    def ours(self) -> list[str]:
        """This repository."""
        return _secrets(ROOT)


def _secrets(repository: Path) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder)
        names = _lay_out(repository, history)
        without = [part for name in ENTROPY for part in ("--disable-plugin", name)]
        ended = run("detect-secrets", "scan", "--all-files", *without, folder=history)
        try:
            results = json.loads(ended.stdout)["results"]
        except ValueError as error:
            raise CannotLook(f"detect-secrets: {ended.stderr.strip()[-500:]}") from error
    found = {(names[blob], one["type"]) for blob, list_ in results.items() for one in list_}
    return sorted(f"{path}: {kind}" for path, kind in found if not _is_meant(path, kind))


def _lay_out(repository: Path, folder: Path) -> dict[str, str]:
    """Every blob of the history as a file named by its hash, and the path it had; what is not committed yet, too."""
    git = ["git", "-C", str(repository)]
    listed = subprocess.run([*git, "rev-list", "--objects", "--all"], check=True, capture_output=True, text=True)
    objects = [line.partition(" ") for line in listed.stdout.splitlines()]
    names = {}
    for name, _, path in objects:
        if Path(path).suffix and Path(path).suffix not in (".png", ".ico", ".woff2"):
            content = subprocess.run([*git, "cat-file", "blob", name], capture_output=True, check=False)
            if content.returncode == 0:
                (folder / (name + Path(path).suffix)).write_bytes(content.stdout)
                names[name + Path(path).suffix] = path
    return names


def _is_meant(path: str, kind: str) -> bool:
    return any(path.startswith(where) and kind == meant for where, meant in MEANT)


class Advisories:
    """Known advisories of the locked dependencies (pip-audit, strict: what could not be asked is an error)."""

    name, tool = "advisories of dependencies", "pip-audit"

    def planted(self) -> list[str]:
        """A Flask with a known one (GHSA-m2qf-hxjv-5gpq)."""
        with tempfile.TemporaryDirectory() as folder:
            listed = Path(folder, "old.txt")
            listed.write_text("flask==2.2.2\n", encoding="utf-8")
            return _audit("--no-deps", "--requirement", str(listed))

    def ours(self) -> list[str]:
        """Both lock files."""
        return [line for lock in ("requirements.txt", "requirements-dev.txt") for line in _audit("--requirement", lock)]


def _audit(*args: str) -> list[str]:
    ended = run("pip-audit", "--strict", "--disable-pip", "--progress-spinner", "off", "--format", "json", *args)
    try:
        dependencies = json.loads(ended.stdout)["dependencies"]
    except ValueError as error:
        why = (ended.stderr.strip().splitlines() or ["no answer"])[-1]
        raise CannotLook(f"pip-audit could not ask for advisories: {why[:200]}") from error
    return [f"{one['name']} {one['version']}: {bad['id']}" for one in dependencies for bad in one.get("vulns", ())]
