"""TLS as scanners see it: sslyze against Mozilla's intermediate profile, and testssl.sh."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.deploy.nginx.front import Front

SSLYZE = Path(__file__).parents[3] / ".venv-deploy" / "bin" / "sslyze"
TESTSSL = "testssl"
TESTSSL_S = 300  # a minute on two idle cores

# What testssl.sh finds, and why it may.
EXPECTED = {
    "engine_problem": "Debian's openssl has no GOST engine, which testssl.sh would have used",
    "cert_revocation": "the tests' authority publishes no list; a public one does",
    "DNS_CAArecord": "a record of the operator's DNS zone, not of the server (README.md)",
    "security_headers": "the web's own, which the recording web does not send; test_with_the_app.py sees them",
    "secure_renego": "Debian's openssl cannot make the handshake of this test; sslyze says that it is secure",
}


def sslyze_finds_it_compliant(front: Front) -> None:
    """Nothing outside the profile is offered, and nothing known to be broken is there."""
    assert SSLYZE.exists(), f"{SSLYZE} is missing. Fill .venv-deploy from requirements-deploy.txt, then run this again."
    found = front.site.folder / "sslyze.json"
    command = [
        str(SSLYZE),
        "--mozilla_config=intermediate",
        "--early_data",
        "--resum",
        "--certinfo_ca_file",
        str(front.client.ca),
    ]
    command += ["--json_out", str(found), f"{front.client.name}:{front.client.port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    verdict = done.stdout.rpartition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    assert "OK - Compliant" in verdict, verdict or done.stdout + done.stderr

    (server,) = json.loads(found.read_text("utf-8"))["server_scan_results"]
    scan: dict[str, Any] = {name: attempt["result"] for name, attempt in server["scan_result"].items()}
    assert not scan["tls_1_3_early_data"]["supports_early_data"]
    assert scan["session_resumption"]["tls_ticket_resumption_result"] != "FULLY_SUPPORTED", "tickets are on"
    assert scan["session_resumption"]["session_id_resumption_result"] == "FULLY_SUPPORTED"
    assert scan["session_renegotiation"]["supports_secure_renegotiation"]
    for name in ("heartbleed", "openssl_ccs_injection"):
        assert not any(value for key, value in scan[name].items() if key.startswith("is_vulnerable")), name


def testssl_finds_nothing_new(front: Front) -> None:
    """Protocols, suites, server defaults, headers and every vulnerability it knows."""
    assert shutil.which(TESTSSL), "testssl.sh is not installed (Debian: apt-get install testssl.sh)"
    found = front.site.folder / "testssl.json"
    command = [TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--add-ca", str(front.client.ca)]
    command += [
        "--jsonfile",
        str(found),
        "-p",
        "-s",
        "-f",
        "-S",
        "-h",
        "-U",
        f"{front.client.name}:{front.client.port}",
    ]
    subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=TESTSSL_S)
    findings = json.loads(found.read_text("utf-8"))
    assert len(findings) > 50, findings
    # WARN: it could not look, as with tickets beside much other work. sslyze looks at the same.
    bad = {one["id"]: one["finding"] for one in findings if one["severity"] not in ("OK", "INFO", "WARN")}
    assert {name: text for name, text in bad.items() if name not in EXPECTED} == {}, file_of(findings)


def file_of(findings: list[dict[str, str]]) -> str:
    """The findings as lines, for whoever reads a failure."""
    return "\n".join(f"{one['severity']} {one['id']}: {one['finding']}" for one in findings)


def http_2_is_offered(front: Front) -> None:
    """Browsers speak HTTP/2, others HTTP/1.1."""
    for offered, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)):
        with front.client.connect(alpn=offered) as one:
            assert one.selected_alpn_protocol() == chosen
            assert one.version() == "TLSv1.3"
