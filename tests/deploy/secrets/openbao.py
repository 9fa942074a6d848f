"""OpenBao's own server, which speaks Vault's API, over TLS, its data on disk: it can be sealed, killed and restarted.

It is set up as an operator would: an engine of KV version 2, a policy per part, an AppRole and a Kubernetes role.
"""

import contextlib
import json
import secrets
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from tests.deploy.secrets import programs
from tests.stack import free_port, wait_until

NAME = "secret/vote"
READ = 'path "secret/data/vote" { capabilities = ["read"] }'
WRITE = 'path "secret/data/vote" { capabilities = ["create", "read", "update"] }'
OTHER = 'path "secret/data/other" { capabilities = ["read"] }'
NOTHING = 'path "secret/data/vote" { capabilities = ["deny"] }'
CONFIGURATION = """
storage "raft" {{
  path = "{folder}/data"
  node_id = "one"
  performance_multiplier = 1
}}
api_addr = "{address}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "{certificate}"
  tls_key_file = "{key}"
}}
"""


class OpenBao:
    """A server of one test. `client` is what the settings of a process need to read from it."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder, self._port = folder, free_port()
        self.address, self.ca = f"https://127.0.0.1:{self._port}", authority.ca
        made = authority.issue("bao", "127.0.0.1")
        (folder / "data").mkdir()
        text = CONFIGURATION.format(
            folder=folder,
            address=self.address,
            port=self._port,
            cluster_port=free_port(),
            certificate=made.certificate,
            key=made.key,
        )
        (folder / "bao.hcl").write_text(text)
        self._tls = ssl.create_default_context(cafile=str(authority.ca))
        self._running = contextlib.ExitStack()
        self._root = self._key = ""

    @property
    def log(self) -> str:
        """What the server has written."""
        return (self.folder / "bao.log").read_text("utf-8")

    def start(self) -> None:
        """Start it; it is sealed, as every start of Vault leaves it."""
        command = [programs.program("bao"), "server", f"-config={self.folder / 'bao.hcl'}"]
        self.process: subprocess.Popen[bytes] = self._running.enter_context(
            programs.running(command, self.folder / "bao.log", lambda: self._ask("GET", "sys/seal-status")[0] == 200)
        )

    def kill(self) -> None:
        """kill -9: nothing listens any more."""
        self._running.close()

    def initialise(self) -> None:
        """Make the root token and the key that opens the seal, and open it."""
        made = self.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._root, self._key = made["root_token"], made["keys_base64"][0]
        self.unseal()
        self.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.ask("POST", "sys/auth/approle", {"type": "approle"})

    def seal(self) -> None:
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Open it, and return when it answers."""
        self.ask("PUT", "sys/unseal", {"key": self._key})
        wait_until(lambda: self._ask("GET", "sys/health")[0] == 200, what="OpenBao is active")

    def recover(self) -> None:
        """Whatever the last test did to it: it runs, is open, has nothing stored, and only the root is logged in."""
        if self.process.poll() is not None:
            self.start()
        self.process.send_signal(signal.SIGCONT)
        if self._ask("GET", "sys/seal-status")[1]["sealed"]:
            self.unseal()
        self.ask("DELETE", "secret/metadata/vote")
        self.revoke_tokens()

    def put(self, values: Mapping[str, Any]) -> None:
        """Write a new version of the secret, as `bao kv put` does."""
        self.ask("POST", "secret/data/vote", {"data": dict(values)})

    def stored(self) -> dict[str, str]:
        """What the newest version holds."""
        return dict(self.ask("GET", "secret/data/vote")["data"]["data"])

    def client(self, rules: str = READ, **role: Any) -> dict[str, str]:
        """The settings of a process whose AppRole may do what `rules` say; `role` are Vault's limits of its tokens."""
        self.newest_role = name = f"vote-{secrets.token_hex(4)}"
        self.allow(name, rules)
        self.ask("POST", f"auth/approle/role/{name}", {"token_policies": [name], "token_ttl": "1h", **role})
        return {
            "SECRETS_FROM": "vault",
            "SECRETS_NAME": NAME,
            "VAULT_ADDR": self.address,
            "VAULT_CACERT": str(self.ca),
            "VAULT_ROLE_ID": self.ask("GET", f"auth/approle/role/{name}/role-id")["data"]["role_id"],
            "VAULT_SECRET_ID": self.ask("POST", f"auth/approle/role/{name}/secret-id", {})["data"]["secret_id"],
        }

    def allow(self, name: str, rules: str) -> None:
        """Set a policy."""
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": rules})

    def revoke_tokens(self) -> None:
        """End every token that an AppRole was given."""
        self.ask("PUT", "sys/leases/revoke-prefix/auth/approle", {})

    def is_alive(self, token: str) -> bool:
        """Whether a token has neither expired nor been revoked."""
        return self._ask("POST", "auth/token/lookup", {"token": token})[0] == 200

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask as root. Fails when it is refused."""
        status, answer = self._ask(method, path, body)
        assert status in (200, 204), (method, path, status, answer)
        return answer

    def _ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}/v1/{path}", data, {"X-Vault-Token": self._root} if self._root else {}, method=method
        )
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self._tls), urllib.request.ProxyHandler({})
        )
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")


@contextlib.contextmanager
def server(folder: Path, authority: Authority) -> Iterator[OpenBao]:
    """A server that is open and has nothing stored."""
    one = OpenBao(folder, authority)
    one.start()
    try:
        one.initialise()
        yield one
    finally:
        one.kill()
