"""Static files as they are served: minified, compressed, under names that hold their hash. Made when a process starts.

The hash is over the bytes that are served, so every process and replica of one version gives the same names, and a
script's own name changes with those it imports. The sources in `static/` stay as people wrote them.
"""

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256, sha384
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import rcssmin  # type: ignore[import-untyped]
import rjsmin  # type: ignore[import-untyped]
from flask import Flask
from markupsafe import Markup, escape

from vote.server.content_encoding import Coding

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
    """One file. `compressed` holds the codings in which it is smaller."""

    path: str
    content_type: str
    body: bytes
    compressed: Mapping[Coding, bytes]

    @property
    def integrity(self) -> str:
        """What a browser compares it with when it comes from somebody else (Subresource Integrity)."""
        return "sha384-" + b64encode(sha384(self.body).digest()).decode("ascii")


@dataclass(slots=True)
class Assets:
    """All files, by the name of their source."""

    _made: dict[str, Asset] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Asset:
        """The file made of this source: `js/vote.js`. Raises KeyError."""
        return self._made[name] if name in self._made else self._make(name)

    def find(self, path: str) -> tuple[Asset, bool] | None:
        """The file for a path, and whether it is exactly the one that is named.

        Another version's name leads to the present file: while a new version is rolled out, a page of one replica asks
        another for its stylesheet.
        """
        found = self._made.get(HASHED.sub("", path.removeprefix(PREFIX)))
        return None if found is None else (found, found.path == path)

    def _make(self, name: str) -> Asset:
        source = FOLDER / name
        if not source.is_file():
            raise KeyError(name)
        body = self._minified(source)
        digest = sha256(body).hexdigest()[:HASH_CHARS]
        stem, suffix = name.removesuffix(source.suffix), source.suffix
        self._made[name] = made = Asset(
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
    """The files of this process; making them takes a tenth of a second, once."""
    made = Assets()
    for source in sorted(FOLDER.rglob("*.*")):
        made[source.relative_to(FOLDER).as_posix()]
    return made


def register(app: Flask, static_url: str) -> None:
    """Give templates `asset(name)`, the address of a file, `own_asset` for what only our own origin may serve, and
    `checked(name)`, the attributes by which a browser refuses a file that somebody has changed on the way.
    """
    files = assets()

    def asset(name: str) -> str:
        return static_url + files[name].path

    def own_asset(name: str) -> str:
        return files[name].path

    def checked(name: str) -> Markup:
        if not static_url:
            return Markup()
        return Markup(' crossorigin="anonymous" integrity="{}"').format(escape(files[name].integrity))

    app.jinja_env.globals.update(asset=asset, own_asset=own_asset, checked=checked)
