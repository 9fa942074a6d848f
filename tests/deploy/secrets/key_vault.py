"""A stand-in for Azure Key Vault and for the identity of a machine in Azure, which run nowhere else. It is not Azure.

Over TLS it answers the calls of the real client as their reference says: first the challenge (401, with who gives tokens for
what), then versions of secrets, their list in pages, and disabling. https://learn.microsoft.com/rest/api/keyvault/secrets/
The client checks that the challenge's resource is a parent of the vault's name: for 127.0.0.1 that is 0.0.1.
"""

import contextlib
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.certificates import Authority

PAGE = 2  # secrets in a page of the list; Azure's has 25
TOKEN = "a-token-that-nobody-may-see"
NAMED = re.compile(r"/secrets/([0-9a-z-]+)/?([0-9a-f]*)", re.IGNORECASE)


class KeyVault:
    """A vault. `client` are the settings of a process, `login` what its environment needs to log in as the machine."""

    def __init__(self, authority: Authority) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.allowed = {"get", "list", "set"}
        self.challenged = 0
        self.resource = ""
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(self, kind)) for kind in ("vault", "identity")]
        made = authority.issue("vault", "127.0.0.1")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(made.certificate, made.key)
        self._servers[0].socket = tls.wrap_socket(self._servers[0].socket, server_side=True)
        ports = [server.server_port for server in self._servers]
        self.url, self.resource = f"https://127.0.0.1:{ports[0]}", f"https://0.0.1:{ports[0]}"
        self.client = {"SECRETS_FROM": "azure", "SECRETS_NAME": "vote-", "AZURE_KEYVAULT_URL": self.url}
        self.login = {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{ports[1]}/msi/token",
            "IDENTITY_HEADER": "a-header-that-nobody-may-see",
            "REQUESTS_CA_BUNDLE": str(authority.ca),
        }

    def set(self, name: str, value: str, *, enabled: bool = True) -> None:
        """A new version of a secret."""
        made = {"value": value, "id": secrets.token_hex(16), "enabled": enabled, "created": int(time.time())}
        self.versions.setdefault(name.lower(), []).append(made)

    def answer(self, method: str, path: str, body: dict[str, Any], *, page: int) -> tuple[int, dict[str, Any]]:
        """What the vault says to somebody who is logged in."""
        verb = "list" if path == "/secrets" else "get" if method == "GET" else "set"
        if verb not in self.allowed:
            return 403, {"error": {"code": "Forbidden", "message": f"Caller may not {verb} secrets"}}
        if verb == "list":
            names = sorted(self.versions)
            more = {"nextLink": f"{self.url}/secrets?page={page + 1}"} if names[(page + 1) * PAGE :] else {}
            return 200, {"value": [self._shown(name) for name in names[page * PAGE : (page + 1) * PAGE]], **more}
        name = NAMED.fullmatch(path)[1].lower()  # type: ignore[index]
        if method == "PUT":
            self.set(name, body["value"])
        if name not in self.versions:
            return 404, {
                "error": {"code": "SecretNotFound", "message": f"A secret with (name/id) {name} was not found"}
            }
        newest = self.versions[name][-1]
        if method == "PATCH":
            newest["enabled"] = body["attributes"]["enabled"]
        elif not newest["enabled"]:
            return 403, {
                "error": {"code": "Forbidden", "message": "Operation get is not allowed on a disabled secret."}
            }
        return 200, self._shown(name) | {"value": newest["value"], "id": f"{self.url}/secrets/{name}/{newest['id']}"}

    def _shown(self, name: str) -> dict[str, Any]:
        newest = self.versions[name][-1]
        times = {"created": newest["created"], "updated": newest["created"]}
        return {"id": f"{self.url}/secrets/{name}", "attributes": {"enabled": newest["enabled"], **times}}

    @contextlib.contextmanager
    def running(self) -> Iterator["KeyVault"]:
        """Both servers, until the end of the block."""
        threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in self._servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for server in self._servers:
                server.shutdown()
                server.server_close()


def handler(vault: KeyVault, kind: str) -> type[BaseHTTPRequestHandler]:
    """What answers for the vault, or for the machine's identity."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            path, _, query = self.path.partition("?")
            if kind == "identity":
                is_known = self.headers.get("X-IDENTITY-HEADER") == vault.login["IDENTITY_HEADER"]
                told = {"access_token": TOKEN, "expires_on": str(int(time.time()) + 3600), "resource": vault.resource}
                self._send(200 if is_known else 401, told if is_known else {})
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                vault.challenged += 1
                who = f'authorization="https://login.microsoftonline.com/tests", resource="{vault.resource}"'
                self._send(401, {"error": {"code": "Unauthorized"}}, {"WWW-Authenticate": f"Bearer {who}"})
            else:
                found = re.search(r"page=(\d+)", query)
                self._send(*vault.answer(self.command, path, body, page=int(found[1]) if found else 0))

        do_GET = do_PUT = do_PATCH = _answer

        def _send(self, status: int, told: dict[str, Any], headers: dict[str, str] | None = None) -> None:
            body = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    return Handler
