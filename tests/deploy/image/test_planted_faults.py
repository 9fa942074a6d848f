"""The checks of this folder can fail: each fault, planted in a variant of the image, makes one of them fail."""

from typing import NamedTuple

import pytest

from tests.deploy.image import checks
from tests.deploy.image.conftest import Images
from tests.deploy.image.test_image import Check

ROOTS = "USER 0:0"
BACK = "USER 1000:1000"
SITE = f"/{checks.PACKAGES}"


class Fault(NamedTuple):
    """Lines that break the image, and the check that must fail."""

    lines: tuple[str, ...]
    check: Check


FAULTS = {
    "it runs as root": Fault((ROOTS,), checks.check_rights),
    "it runs as another account": Fault(("USER 1001:1001",), checks.check_settings),
    "60 MB too much": Fault((ROOTS, "RUN head -c 60000000 /dev/urandom >/opt/vote/lib/x", BACK), checks.check_size),
    "pip is left inside": Fault((ROOTS, f"RUN mkdir {SITE}/pip", BACK), checks.check_files),
    "compiled files are left inside": Fault((ROOTS, f"RUN touch {SITE}/vote/app.pyc", BACK), checks.check_files),
    "a file that git does not know": Fault((ROOTS, f"RUN touch {SITE}/vote/notes.txt", BACK), checks.check_files),
    "a module is missing": Fault((ROOTS, f"RUN rm {SITE}/vote/auth.py", BACK), checks.check_files),
    "sources beside the environment": Fault((ROOTS, "RUN mkdir /src && touch /src/x", BACK), checks.check_files),
    "a secret beside the environment": Fault((ROOTS, "RUN touch /opt/vote/.env", BACK), checks.check_files),
    "a file of the base is changed": Fault(
        (ROOTS, "RUN echo x >>/etc/hosts.allow.x /etc/issue", BACK), checks.check_files
    ),
    "the account may change the code": Fault((ROOTS, f"RUN chmod a+w {SITE}/vote/auth.py", BACK), checks.check_modes),
    "the account owns the code": Fault((ROOTS, f"RUN chown 1000 {SITE}/vote/auth.py", BACK), checks.check_modes),
    "a program lends root's rights": Fault((ROOTS, "RUN chmod u+s /usr/bin/env", BACK), checks.check_modes),
    "no health check": Fault(("HEALTHCHECK NONE",), checks.check_settings),
    "a health check with a space": Fault(('HEALTHCHECK CMD ["python", "-c", "import os"]',), checks.check_settings),
    "a health check that is always content": Fault(
        (ROOTS, "RUN echo >/opt/vote/health.py", BACK), checks.check_health_check
    ),
    "another commit": Fault(("LABEL org.opencontainers.image.revision=unknown",), checks.check_settings),
    "a secret in the environment": Fault(("ENV JWT_SECRET=x",), checks.check_settings),
    "a shell between the signal and the web": Fault(('ENTRYPOINT ["/bin/sh", "-c"]',), checks.check_settings),
    "it is stopped by force": Fault(("STOPSIGNAL SIGKILL",), checks.check_settings),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_seen(images: Images, fault: Fault) -> None:
    variant = images.variant("fault", *fault.lines)

    with pytest.raises(AssertionError):
        fault.check(images.engine, images.base, variant)
