"""The image as it is built: size, files, modes, settings, rights; and twice the same."""

import hashlib
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.deploy.image import checks
from tests.deploy.image.base import ROOT
from tests.deploy.image.conftest import Images, build_by_script
from tests.deploy.image.engine import Engine
from tests.unit.tree import git

Check = Callable[[Engine, str, str], None]
CHECKS: tuple[Check, ...] = (
    checks.check_size,
    checks.check_settings,
    checks.check_files,
    checks.check_modes,
    checks.check_rights,
    checks.check_health_check,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_image_keeps_its_promise(images: Images, check: Check) -> None:
    check(images.engine, images.base, images.production)


def test_sizes_are_noted(images: Images, record_property: Callable[[str, object], None]) -> None:
    above, whole = checks.sizes(images.engine, images.base, images.production)
    _, backup = checks.sizes(images.engine, images.base, images.backup)
    record_property("digest", images.engine.inspect(images.production)["Digest"])
    record_property("build_s", round(images.build_s, 1))
    record_property("mb_above_base", round(above, 1))
    record_property("mb_in_all", round(whole, 1))
    record_property("mb_backup", round(backup, 1))

    assert backup <= checks.BACKUP_MB


def test_the_image_of_backups_is_as_the_other_but_for_postgresql(images: Images) -> None:
    engine = images.engine
    checks.check_rights(engine, images.base, images.backup)
    checks.check_modes(engine, images.production, images.backup)
    with engine.files_of(images.backup) as root:
        keys = [path for path in (root / "etc").rglob("*") if "snakeoil" in path.name or path.suffix == ".key"]
        clusters = list((root / "var/lib").glob("postgresql*"))
        authorities = (root / "etc/ssl/certs/ca-certificates.crt").stat().st_size
        server = (root / "usr/lib/postgresql/15/bin/postgres").exists()
    assert keys == [], "a private key in an image is everybody's"
    assert clusters == []
    assert authorities > 100_000
    assert server
    assert engine.inspect(images.backup)["Config"]["Cmd"] == ["vote", "backup", "keep"]


def test_its_account_was_made_at_the_time_of_the_commit(images: Images) -> None:
    day = datetime.fromtimestamp(int(git("show", "-s", "--format=%ct", "HEAD").stdout), UTC).date()
    with images.engine.files_of(images.production) as root:
        (line,) = [line for line in (root / "etc/shadow").read_text().splitlines() if line.startswith("vote:")]

    assert int(line.split(":")[2]) == (day - datetime(1970, 1, 1, tzinfo=UTC).date()).days


# --- the same again ---------------------------------------------------------------------------------------------------


def test_two_builds_of_a_commit_have_the_same_files(images: Images) -> None:
    engine = images.engine
    before = contents(engine, images.production)

    build_by_script(engine, images.base, engine.folder / "again", "--no-cache", targets="production")

    assert differences(before, contents(engine, images.production)) == []


def test_a_build_that_differs_is_seen(images: Images) -> None:
    before = contents(images.engine, images.production)
    for line in ("RUN echo >>/opt/vote/health.py", "RUN touch /opt/vote/health.py", "RUN chmod g+w /etc/passwd"):
        options = ("--timestamp", "1") if "echo" in line else ()
        text = f"FROM {images.production}\nUSER 0:0\n{line}\n"
        variant = images.engine.build(
            text, "localhost/vote-variant:differs", images.engine.folder / "nothing", *options
        )
        assert differences(before, contents(images.engine, variant)) != [], line


def contents(engine: Engine, image: str) -> dict[str, tuple[object, ...]]:
    """Mode, owner, time and digest of each file and folder."""
    with engine.files_of(image) as root:
        return {str(path.relative_to(root)): _content(path) for path in root.rglob("*") if not path.is_socket()}


def _content(path: Path) -> tuple[object, ...]:
    known = path.lstat()
    if stat.S_ISLNK(known.st_mode):
        inside: object = path.readlink()
    else:
        inside = hashlib.sha256(path.read_bytes()).digest() if stat.S_ISREG(known.st_mode) else None
    is_folder = stat.S_ISDIR(known.st_mode)  # the time of a folder is that of the last file put into it by the engine
    return known.st_mode, known.st_uid, known.st_gid, None if is_folder else int(known.st_mtime), inside


def differences(one: dict[str, tuple[object, ...]], other: dict[str, tuple[object, ...]]) -> list[str]:
    """The names that are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


# --- what the build is given: .dockerignore ------------------------------------------------------------------------------

DECOYS = (
    ".env",
    "secrets/jwt-secret",
    ".git/config",
    ".vote/secrets/JWT_SECRET",
    "build/records/image-test.json",
    "tests/x.py",
    "docs/x.md",
    "deploy/compose/setup",
    "deploy/image/notes.txt",
    "vote/.env",
    "vote/web/.secret",
    "vote/__pycache__/app.pyc",
    "vote/app.pyc",
    "vote/jwt.key",
    "vote/tls/server.pem",
    "vote/app.py~",
)


def given_to_the_build(engine: Engine, folder: Path, *, ignore: str) -> set[str]:
    """What a build of a checkout with decoys is given."""
    tracked = git("ls-files", "--cached", "--others", "--exclude-standard", "-z").stdout.split("\0")
    for name in filter(None, tracked):
        if name.startswith(("vote/", "deploy/")) or "/" not in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in DECOYS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a secret of this machine", "utf-8")
    (folder / ".dockerignore").write_text(ignore, "utf-8")
    image = engine.build("FROM scratch\nCOPY . /\n", "localhost/vote-context:latest", folder)
    with engine.files_of(image) as root:
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def allowed() -> set[str]:
    """The allow-list: the package and what installs it."""
    others = {"requirements-image.txt", "pyproject.toml", "README.md", "LICENSE", "deploy/image/health.py"}
    return others | checks.of_the_product()


def test_the_build_is_given_nothing_else(engine: Engine, tmp_path: Path) -> None:
    given = given_to_the_build(engine, tmp_path, ignore=(ROOT / ".dockerignore").read_text("utf-8"))

    assert given == allowed()


@pytest.mark.parametrize("line", ["*\n", "**/.*\n", "**/*.py[co]\n", "**/*.pem\n", "**/*.key\n", "**/*~\n"])
def test_a_line_that_is_missing_is_seen(engine: Engine, tmp_path: Path, line: str) -> None:
    text = (ROOT / ".dockerignore").read_text("utf-8")
    assert f"\n{line}" in text

    given = given_to_the_build(engine, tmp_path, ignore=text.replace(f"\n{line}", "\n", 1))

    assert given - allowed() != set()
