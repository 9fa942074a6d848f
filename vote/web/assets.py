"""Builds static files at start: minified, compressed, and named by their hash.

The hash covers the served bytes, so every process and replica of a version uses the same names, and a script's name
changes with its imports. The sources in `static/` stay readable.
"""

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256, sha384
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import rcssmin  # type: ignore[import-untyped]
import rjsmin  # type: ignore[import-untyped]
from flask import Flask
from markupsafe import Markup

from vote.web.compression import Coding

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static/"
HASH_CHARS = 16  # 64 bits: two versions of a file never meet
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
TEXT = frozenset((".css", ".js", ".svg"))
IMPORT = re.compile(r'(?<=from)\s*"\./([\w-]+\.js)"')
HASHED = re.compile(rf"\.[0-9a-f]{{{HASH_CHARS}}}(?=\.\w+$)")


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file. `compressed` holds the encodings in which it is smaller."""

    path: str
    content_type: str
    body: bytes
    compressed: Mapping[Coding, bytes]

    @property
    def integrity(self) -> str:
        """Return the hash for Subresource Integrity, by which browsers check a file from a CDN."""
        return "sha384-" + b64encode(sha384(self.body).digest()).decode("ascii")


class Assets(dict[str, Asset]):
    """All static files, by the name of their source (`js/vote.js`). Each is built on first use."""

    def find(self, path: str) -> tuple[Asset, bool] | None:
        """Return the file for a path, and whether the path names its current version.

        Another version's name finds the current file: during a rolling update a page from one replica asks another for
        its stylesheet.
        """
        found = self.get(HASHED.sub("", path.removeprefix(PREFIX)))
        return None if found is None else (found, found.path == path)

    def __missing__(self, name: str) -> Asset:
        source = FOLDER / name
        if not source.is_file():
            raise KeyError(name)
        body = self._minified(source)
        digest = sha256(body).hexdigest()[:HASH_CHARS]
        stem, suffix = name.removesuffix(source.suffix), source.suffix
        self[name] = made = Asset(
            f"{PREFIX}{stem}.{digest}{suffix}", TYPES[suffix], body, _compressed(body) if suffix in TEXT else {}
        )
        return made

    def _minified(self, source: Path) -> bytes:
        if source.suffix == ".css":
            return str(rcssmin.cssmin(source.read_text("utf-8"))).encode("utf-8")
        if source.suffix == ".js":
            return IMPORT.sub(self._import, str(rjsmin.jsmin(source.read_text("utf-8")))).encode("utf-8")
        return source.read_bytes()

    def _import(self, found: re.Match[str]) -> str:
        return f'"./{self[f"js/{found[1]}"].path.rpartition("/")[2]}"'


def _compressed(body: bytes) -> dict[Coding, bytes]:
    made: dict[Coding, bytes] = {"br": brotli.compress(body, quality=11), "gzip": gzip.compress(body, 9, mtime=0)}
    return {coding: smaller for coding, smaller in made.items() if len(smaller) < len(body)}


@cache
def assets() -> Assets:
    """Return the files of this process. The first call builds them, in a tenth of a second."""
    made = Assets()
    for source in sorted(FOLDER.rglob("*.*")):
        made[source.relative_to(FOLDER).as_posix()]
    return made


def register(app: Flask, static_url: str) -> None:
    """Give templates `asset(name)` (a file's address), `own_asset` (for files that only our own origin may serve) and
    `checked(name)` (the attributes by which a browser refuses a file that was changed on the way).
    """
    files = assets()

    def checked(name: str) -> Markup:
        if not static_url:
            return Markup()
        return Markup(' crossorigin="anonymous" integrity="{}"').format(files[name].integrity)

    app.jinja_env.globals.update(
        asset=lambda name: static_url + files[name].path, own_asset=lambda name: files[name].path, checked=checked
    )
