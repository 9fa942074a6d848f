"""Static files: minified, named by their content, the same in every process."""

import gzip
import re
import subprocess
import sys

import brotli
import pytest

from vote.web.assets import FOLDER, Assets, assets

NAMES = [path.relative_to(FOLDER).as_posix() for path in sorted(FOLDER.rglob("*.*"))]
ALL_PATHS = "from vote.web.assets import assets; print(*sorted(one.path for one in assets().values()))"


def test_names_hold_the_hash_and_lead_back_to_the_file() -> None:
    for name in NAMES:
        asset = assets()[name]

        assert re.fullmatch(r"/static/[\w/-]+\.[0-9a-f]{16}\.\w+", asset.path)
        assert assets().find(asset.path) == (asset, True)


def test_another_versions_name_leads_to_the_present_file_and_says_so() -> None:
    present = assets()["vote.css"]

    assert assets().find("/static/vote.0123456789abcdef.css") == (present, False)
    assert assets().find("/static/vote.css") == (present, False)
    assert assets().find("/static/other.0123456789abcdef.css") is None
    assert assets().find("/static/../assets.py") is None


def test_another_process_gives_the_same_names() -> None:
    told = subprocess.run([sys.executable, "-c", ALL_PATHS], capture_output=True, text=True, check=True).stdout.split()

    assert told == sorted(assets()[name].path for name in NAMES)


def test_scripts_import_each_other_by_the_names_they_are_served_under() -> None:
    for name in (name for name in NAMES if name.endswith(".js")):
        text = assets()[name].body.decode("utf-8")
        sources = re.findall(r'from "\./([\w-]+\.js)"', (FOLDER / name).read_text("utf-8"))

        imported = re.findall(r'\bfrom\s*"\./([^"]+)"', text)

        assert [f"/static/js/{one}" for one in imported] == [assets()[f"js/{source}"].path for source in sources]


def test_a_scripts_name_changes_with_what_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    before = assets()["js/main.js"].path
    made = Assets()
    minified = Assets._minified

    def changed(self: Assets, source: object) -> bytes:
        return minified(self, source) + (b"\n" if str(source).endswith("words.js") else b"")  # type: ignore[arg-type]

    monkeypatch.setattr(Assets, "_minified", changed)

    assert made["js/main.js"].path != before


def test_what_is_compressed_is_the_file_and_smaller() -> None:
    for name in (name for name in NAMES if name.endswith((".css", ".js", ".svg"))):
        asset = assets()[name]

        assert len(asset.body) <= (FOLDER / name).stat().st_size
        assert brotli.decompress(asset.compressed["br"]) == asset.body
        assert gzip.decompress(asset.compressed["gzip"]) == asset.body
        assert len(asset.compressed["br"]) < len(asset.body)


def test_no_template_literal_holds_another() -> None:
    """The minifier knows only those that hold none, and would take the inner one for code."""
    literal = re.compile(r"`(?:\\.|[^`\\])*`", re.DOTALL)
    for name in (name for name in NAMES if name.endswith(".js")):
        code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", (FOLDER / name).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for found in literal.findall(code):
            assert found.count("${") == len(re.findall(r"\$\{[^`{}]*(?:\{[^`{}]*\}[^`{}]*)*\}", found)), (
                f"{name}: {found}"
            )
