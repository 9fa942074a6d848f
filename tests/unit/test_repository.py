"""The repository itself: settings, code, versions and locks agree with each other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.tree import ROOT, git, modules, named, pyproject, read, tracked
from vote import config, errors
from vote.config import SECRETS, Settings
from vote.db import migrate
from vote.errors import VoteError
from vote.server.problems import STATUS, TITLES

MODULE_MAX_LINES = 300
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
SETTING = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


def subclasses(root: type[VoteError]) -> Iterator[type[VoteError]]:
    """The tree of errors."""
    yield root
    for child in root.__subclasses__():
        yield from subclasses(child)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_every_setting_is_in_the_example_and_nothing_else() -> None:
    known = {name.upper() for name in Settings.model_fields} | {f"{name}_FILE" for name in SECRETS}

    shown = [name for name, _ in SETTING.findall(read(".env.example"))]

    assert sorted(shown) == sorted(known)


def test_every_setting_of_the_example_is_explained() -> None:
    blocks = re.split(r"\n\s*\n", read(".env.example"))

    unexplained = [block for block in blocks if SETTING.search(block) and not block.lstrip().startswith("# ")]

    assert unexplained == []


def test_the_values_of_the_example_are_the_defaults() -> None:
    needed = {"FLASK_SECRET_KEY": "f" * 32, "JWT_SECRET": "j" * 32}
    shown = {name: value for name, value in SETTING.findall(read(".env.example")) if value}

    assert config.load(needed | shown) == config.load(needed)
    assert not shown.keys() & needed.keys(), "a secret has no place in the example"


def test_the_file_of_settings_is_never_committed() -> None:
    assert git("check-ignore", "--quiet", ".env").returncode == 0
    assert git("check-ignore", "--quiet", ".env.example").returncode == 1
    assert git("ls-files", ".env").stdout == ""


CHILDREN = {  # where the environment of a child process is made
    "vote/hash_process.py": "passes on only what finds Python's own library, none of the keys and passwords",
    "vote/ops/commands/web.py": "gunicorn gets all of it, and the folder where its processes sum their metrics",
}


def test_settings_are_read_in_one_place() -> None:
    names = {"environ", "environb", "getenv", "getenvb"}

    reading = {
        named(path)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in names and getattr(node.value, "id", "") == "os")
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {one.name for one in node.names})
    }

    assert reading == {"vote/config.py", *CHILDREN}


# --- code -------------------------------------------------------------------------------------------------------------


def test_every_error_class_has_a_status_with_a_title() -> None:
    tree = {one for one in subclasses(VoteError) if one.__module__.startswith("vote.")}

    assert STATUS.keys() == tree
    assert set(STATUS.values()) <= TITLES.keys()


def test_every_error_class_is_in_the_drawing_of_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")

    assert sorted(drawn) == sorted(one.__name__ for one in subclasses(VoteError) if one is not VoteError)


@pytest.mark.parametrize("path", modules(), ids=named)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "a module begins with what lives in it"
    assert path.stem not in VAGUE, "name what is in it"


IS_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE (ROLE|TABLE|DATABASE)|ALTER ROLE)\b")


def test_sql_lives_in_one_room() -> None:
    """Whoever changes a table looks in vote/db alone."""
    elsewhere = [path for path in modules() if "db" not in path.relative_to(ROOT / "vote").parts[:1]]

    strings = [
        (named(path), node.value[:40])
        for path in elsewhere
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and IS_SQL.match(node.value)
    ]

    assert strings == []


def test_a_type_name_means_one_thing() -> None:
    defined: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append(named(path))

    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}


def test_modules_stay_small() -> None:
    """Tests and benches too: split by subject what grows."""
    lines = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in tracked("*.py")}

    assert {path: count for path, count in lines.items() if count > MODULE_MAX_LINES} == {}


@pytest.mark.parametrize("path", modules(), ids=named)
def test_a_module_imports_at_its_top_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    inside = [
        node.lineno
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


def test_silenced_checks_name_what_they_silence() -> None:
    vague = re.compile(r"#\s*(?:type:\s*ignore(?!\[)|noqa(?!:))")
    files = [path for path in tracked("*.py") if path != Path(__file__)]

    found = [
        f"{named(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if vague.search(line)
    ]

    assert found == []


def test_every_part_of_the_package_has_its_layer() -> None:
    layers = pyproject()["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    parts = {f"vote.{path.stem}" for path in (ROOT / "vote").glob("*.py") if path.stem != "__init__"}
    parts |= {f"vote.{path.parent.name}" for path in (ROOT / "vote").glob("*/__init__.py")}

    assert placed == parts


def test_the_checks_before_a_change_are_the_targets_people_run() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    every = {f"make {tests}{pair}" for tests in ("test", "test-slow") for pair in ("", " SERVICES=system")}
    assert {"make lint", *every} <= set(re.findall(r"\bmake .*", script.read_text(encoding="utf-8")))


# --- versions and locks -----------------------------------------------------------------------------------------------


def test_python_is_the_same_version_everywhere() -> None:
    project = pyproject()
    version = project["project"]["requires-python"].removeprefix(">=")

    assert project["tool"]["mypy"]["python_version"] == version
    assert project["tool"]["ruff"]["target-version"] == "py" + version.replace(".", "")
    assert f"--python-version {version}" in read("Makefile")
    assert f"Python {version}" in read("README.md")


def test_the_oldest_postgresql_is_the_same_everywhere() -> None:
    oldest = f"PostgreSQL {migrate.OLDEST_POSTGRESQL // 10_000}"

    assert f"# --- {oldest} or newer" in read(".env.example")
    assert oldest in read("README.md")


def locked(path: str) -> dict[str, str]:
    """Requirement to version, of a lock file in which each carries hashes."""
    joined = re.sub(r"\\\n\s*", " ", read(path))
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in lines:
        assert re.match(r"[\w.\-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), f"not pinned with a hash: {line[:80]}"
    return dict(line.split(" ", 1)[0].split("==") for line in lines)


def test_locks_pin_every_requirement_with_hashes_and_agree() -> None:
    runtime, development = locked("requirements.txt"), locked("requirements-dev.txt")
    project = pyproject()["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[\[<>=!~ ]", one)[0].lower() for one in requirements}

    assert names(project["dependencies"]) <= runtime.keys()
    assert names(project["optional-dependencies"]["dev"]) <= development.keys()
    assert {name: development.get(name) for name in runtime} == runtime


def test_locks_name_no_server_to_fetch_from() -> None:
    assert "://" not in read("requirements.txt") + read("requirements-dev.txt")


def test_no_file_names_a_place_of_one_machine() -> None:
    place = re.compile(rb"(?<![\w.~-])/(?:work|farm|root|home/\w+)/")  # a path, not the middle of another one
    files = [path for path in tracked() if path != Path(__file__)]

    found = [
        f"{named(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if b"\0" not in line and place.search(line)
    ]

    assert found == []
