"""A stand-in for the one call of the Kubernetes API that Vault's Kubernetes log-in makes: the review of a pod's token.

It is not Kubernetes: it knows one service account and one token. https://kubernetes.io/docs/reference/kubernetes-api/
(TokenReview, authentication.k8s.io/v1).
"""

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.certificates import Authority

NAMESPACE, ACCOUNT = "voting", "vote-app"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"


def pod_token(text: str = "signature") -> str:
    """A token of the form that Kubernetes mounts into a pod; the reviewer alone decides whether it is genuine."""
    claims = {
        "iss": "https://kubernetes.default.svc",
        "sub": USER,
        "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": {"name": ACCOUNT, "uid": "1"}},
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()])


class Reviewer(BaseHTTPRequestHandler):
    """Says that one token is genuine."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_genuine = asked["spec"]["token"] == pod_token()
        status = {"authenticated": is_genuine}
        if is_genuine:
            status |= {"user": {"username": USER, "uid": "1"}}
        body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextlib.contextmanager
def reviewing(authority: Authority) -> Iterator[str]:
    """The stand-in's address, over TLS as a cluster's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Reviewer)
    made = authority.issue("kubernetes", "127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, made.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
