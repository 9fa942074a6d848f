"""A small image that serves /ready and /health with busybox, and carries one part of each kind that an SBOM must list."""

import shutil
from pathlib import Path

DOCKERFILE = """
FROM scratch AS production
ARG VERSION
ARG COMMIT
LABEL org.opencontainers.image.version="${VERSION}" org.opencontainers.image.revision="${COMMIT}"
COPY root /
USER 1000:1000
HEALTHCHECK CMD ["/bin/busybox", "true"]
CMD ["/bin/busybox", "sh", "-c", "exec /bin/busybox httpd -f -p 127.0.0.1:$PORT -h /www"]
FROM production AS backup
CMD ["/bin/busybox", "true"]
"""
DEB = """Package: busybox-static
Status: install ok installed
Architecture: amd64
Version: 1.35.0
Maintainer: Nobody <nobody@example.org>
Description: a small program

"""
PYPI = "Metadata-Version: 2.1\nName: vote-app\nVersion: 1.0\n"


def context(folder: Path, *, name: str, is_ready: bool = True, is_healthy: bool = True, has_parts: bool = True) -> Path:
    """Write what a tiny image is built from; it answers / with its name. Return the folder."""
    root = folder / "root"
    for made in ("bin", "www", "var/lib/dpkg", "usr/lib/python3/dist-packages/vote_app-1.0.dist-info"):
        (root / made).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "busybox", root / "bin/busybox")
    (root / "www/index.html").write_text(name, "utf-8")
    for path, is_there in (("ready", is_ready), ("health", is_healthy)):
        if is_there:
            (root / "www" / path).write_text(path, "utf-8")
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n', "utf-8")
    if has_parts:
        (root / "var/lib/dpkg/status").write_text(DEB, "utf-8")
        (root / "usr/lib/python3/dist-packages/vote_app-1.0.dist-info/METADATA").write_text(PYPI, "utf-8")
    (folder / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    return folder
