"""What the image promises, each as a function that fails when an image does not keep it. Faults are planted in variants."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.image.engine import RIGHTS, Engine
from tests.unit.tree import git, pyproject

MB = 1_000_000
ABOVE_BASE_MB, IN_ALL_MB = 150, 300
BACKUP_MB = 600  # Debian's PostgreSQL brings LLVM and Perl
VENV = "opt/vote"
PACKAGES = f"{VENV}/lib/python3.11/site-packages"
# What useradd writes, and folders whose times the build changes.
ACCOUNTS = {
    f"etc/{name}{copy}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid") for copy in ("", "-")
}
INSTALLERS = re.compile(
    r"^(pip|setuptools|wheel|flit_core|pkg_resources|_distutils_hack|ensurepip)([-_.].*)?$", re.IGNORECASE
)
MEMORY = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
PIDS = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")


def sizes(engine: Engine, base: str, image: str) -> tuple[float, float]:
    """Return the megabytes above the base, and in all."""
    of_base, whole = (engine.inspect(name)["Size"] / MB for name in (base, image))
    return whole - of_base, whole


def check_size(engine: Engine, base: str, image: str) -> None:
    """Small enough to be pulled in seconds."""
    above, whole = sizes(engine, base, image)
    assert above <= ABOVE_BASE_MB, f"{above:.1f} MB above the base"
    assert whole <= IN_ALL_MB, f"{whole:.1f} MB in all"


def check_settings(engine: Engine, base: str, image: str) -> None:
    """Who it is, whom it runs as, how it is started, stopped and asked whether it is well."""
    known = engine.inspect(image)
    config, labels = known["Config"], known["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == pyproject()["project"]["version"]
    assert labels["org.opencontainers.image.revision"] == git("rev-parse", "HEAD").stdout.strip()
    assert labels["org.opencontainers.image.base.name"] == base
    assert config["User"] == "1000:1000"
    assert config["WorkingDir"] == "/opt/vote"
    assert config["StopSignal"] in ("15", "SIGTERM")
    assert set(config["ExposedPorts"]) == {"8080/tcp", "9101/tcp"}
    assert not config.get("Entrypoint")
    assert known["HealthCheck" if "HealthCheck" in known else "Healthcheck"]["Test"] == [
        "CMD",
        "python",
        "/opt/vote/health.py",
    ]
    variables = dict(line.split("=", 1) for line in config["Env"])
    assert variables["VOTE_ENV"] == "production"
    assert not [name for name in variables if re.search("SECRET|PASSWORD|TOKEN|_KEY|URL", name)]


def check_files(engine: Engine, base: str, image: str) -> None:
    """Nothing but the environment and its account: no sources, tests, documents, caches, tools that install, nor secrets."""
    with engine.files_of(base) as before, engine.files_of(image) as after:
        new = set(_files(after)) - set(_files(before))
        changed = {name for name in set(_files(before)) & set(_files(after)) if _differs(before / name, after / name)}
        packages = {path.name for path in (after / PACKAGES).iterdir()}
        product = {
            str(path.relative_to(after / PACKAGES)) for path in (after / PACKAGES / "vote").rglob("*") if path.is_file()
        }
        gone = set(_files(before)) - set(_files(after))
    outside = {name for name in new | changed if not name.startswith(f"{VENV}/")} - ACCOUNTS
    assert outside == set()
    assert gone == set()
    assert {name for name in new if name.endswith((".pyc", ".pyo")) or "__pycache__" in name} == set()
    assert {name for name in packages if INSTALLERS.match(name)} == set()
    assert product == of_the_product()
    own = {name for name in new if name.startswith(f"{VENV}/") and name.count("/") == 2}
    assert own == {f"{VENV}/health.py", f"{VENV}/pyvenv.cfg", f"{VENV}/lib64"} & own


def check_modes(engine: Engine, base: str, image: str) -> None:
    """What belongs to root stays root's: the account can change nothing, and nothing new lends its owner's rights."""
    with engine.files_of(base) as before, engine.files_of(image) as after:
        lending = {name for name in _files(after) if _mode(after / name) & 0o6000}
        assert lending <= {name for name in _files(before) if _mode(before / name) & 0o6000}
        own = [after / VENV, *(after / VENV).rglob("*")]
        foreign = [path for path in own if path.lstat().st_uid != 0 or (not path.is_symlink() and _mode(path) & 0o022)]
    assert foreign == []


def check_rights(engine: Engine, base: str, image: str) -> None:
    """As it is run: no root, no capabilities, none to be had, a limit on memory and processes, one place to write."""
    del base
    status = engine.run_once(image, "cat", "/proc/self/status")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["Uid"].split() == ["1000"] * 4
    assert fields["Gid"].split() == ["1000"] * 4
    assert {int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert fields["NoNewPrivs"].strip() == "1"
    assert _limit(engine, image, MEMORY) == 512 << 20
    assert _limit(engine, image, PIDS) == 256
    for folder in ("/opt/vote", "/etc", "/root", "/var/tmp", "/usr/local/bin", "/home"):
        assert "wrote" not in engine.run_once(image, "sh", "-c", f"touch {folder}/x && echo wrote", check=False), folder
    assert "wrote" in engine.run_once(image, "sh", "-c", "touch /tmp/x && echo wrote")


def check_health_check(engine: Engine, base: str, image: str) -> None:
    """A container that does not answer is unhealthy; so is one in which nothing listens."""
    del base
    with engine.container(image, "--network", "none", command=["sleep", "60"]) as one:
        assert not one.is_healthy()
    serving = "import http.server as s; s.HTTPServer(('127.0.0.1', 8080), s.SimpleHTTPRequestHandler).serve_forever()"
    with engine.container(image, "--network", "none", "--workdir", "/tmp", command=["python", "-c", serving]) as one:
        assert not one.is_healthy(), "404 is no health"


def _limit(engine: Engine, image: str, paths: tuple[str, str]) -> int:
    """What stands in the file of control groups, of either version."""
    return int(engine.run_once(image, "sh", "-c", f"cat {paths[0]} 2>/dev/null || cat {paths[1]}", options=RIGHTS))


def _files(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield str((Path(folder) / name).relative_to(root))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode) if not path.is_symlink() else 0


def _differs(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return os.readlink(one) != os.readlink(other) if one.is_symlink() and other.is_symlink() else True
    if not one.is_file():
        return False
    return (
        one.lstat()[:1] + one.lstat()[4:7] != other.lstat()[:1] + other.lstat()[4:7]
        or one.read_bytes() != other.read_bytes()
    )


def of_the_product() -> set[str]:
    """The files of the package that git knows or would add, but for the Dockerfile."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "vote").stdout.split("\0")
    return {name for name in listed if name} - {"vote/Dockerfile"}
