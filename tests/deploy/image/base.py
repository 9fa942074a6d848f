"""A stand-in for the official image that vote/Dockerfile begins from: Debian's own Python, under the official name.

No registry of images is at hand where this runs. The stand-in is made of the same Debian packages (mmdebstrap), slim in the
same way, with `python` and `pip` of Debian instead of those that the official image compiles. Its files are kept, by the
versions of the packages, so that only the first run downloads them.
"""

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
CACHE = ROOT / "build" / "bases"
SUITE = "bookworm"
# With these two, Perl (48 MB) stays out, as in the official image.
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
PYTHON = ("ca-certificates", "netbase", "python3", "python3-venv", "tzdata", "usr-is-merged")
# What the official slim images leave out too.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
KEPT = ("/usr/share/doc/*/copyright",)
NO_RECURSION = ["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"]
# The PATH is the official image's; a base made by hand has none, and without the sbin folders dpkg refuses to work.
SETTINGS = (
    "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    "LABEL stand-in=Debian",
)
LINKS = "for name in python python3; do ln -s /usr/bin/python3 /usr/local/bin/$name; done"


def official_name() -> str:
    """Return the name in the Dockerfile, without the digest: that is of the official image alone."""
    found = re.search(r"^ARG PYTHON=(\S+)@sha256:[0-9a-f]{64}$", (ROOT / "vote/Dockerfile").read_text(), re.MULTILINE)
    assert found is not None, "vote/Dockerfile names its base, with a digest, in ARG PYTHON"
    return found[1]


def archive(packages: tuple[str, ...]) -> Path:
    """Return Debian's minimal system with these packages as a tar. Takes two minutes the first time."""
    versions = _versions(packages)
    kept = CACHE / f"{SUITE}-{hashlib.sha256(versions.encode()).hexdigest()[:16]}.tar"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(f".{os.getpid()}.new")
        rules = [*(f"path-exclude={path}" for path in LEFT_OUT), *(f"path-include={path}" for path in KEPT)]
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", f"--include={','.join(packages)}"]
        command += [f"--hook-dir={MERGED}"]
        command += [f"--dpkgopt={rule}" for rule in rules] + [SUITE, str(new)]
        subprocess.run(command, check=True, timeout=600)
        new.rename(kept)
        kept.with_suffix(".txt").write_text(versions, "utf-8")
    return kept


def import_base(variables: dict[str, str], name: str) -> float:
    """Make the base known under its official name. Return the seconds that took."""
    began = time.monotonic()
    packages = archive(PYTHON)
    dockerfile = f"FROM scratch\nADD {packages.name} /\nRUN {LINKS}\n" + "\n".join(SETTINGS) + '\nCMD ["python3"]\n'
    subprocess.run(
        ["buildah", "build", "--quiet", "--format", "docker", "--timestamp=0", "--file=-", "--tag", name, str(CACHE)],
        input=dockerfile,
        env={**os.environ, **variables},
        check=True,
        text=True,
        stdout=subprocess.DEVNULL,
        timeout=300,
    )
    return time.monotonic() - began


def _versions(packages: tuple[str, ...]) -> str:
    """Return `<package> <version>` of all that the base holds, as this machine's lists of packages have them now."""
    essential = _output("dpkg-query", "--show", "--showformat", "${Package} ${Essential}\n")
    wanted = [*packages, "apt", *(line.split()[0] for line in essential.splitlines() if line.endswith(" yes"))]
    names = set(
        re.findall(r"^([a-z0-9][\w.+-]+)$", _output("apt-cache", "depends", "--recurse", *NO_RECURSION, *wanted), re.M)
    )
    policy = _output("apt-cache", "policy", *sorted(names))
    return "".join(
        f"{name} {version}\n" for name, version in re.findall(r"^(\S+):\n.*\n  Candidate: (\S+)$", policy, re.M)
    )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
