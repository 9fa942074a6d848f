"""moto's AWS Secrets Manager as a server: not AWS, but it keeps versions and their stages by AWS' rules.

It knows no rights. An account of one's own is a name in the path of its administration; each test starts it empty.
"""

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.secrets import programs
from tests.stack import free_port
from vote.secret_store import library

NAME = "vote/production"


class Aws:
    """A region with one secret. `client` is what the environment of a process needs to read from it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.login = {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "an-access-key-that-nobody-may-see",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        self.client = {"SECRETS_FROM": "aws", "SECRETS_NAME": NAME}

    def begin(self) -> None:
        """Forget everything."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10).close()
        self.api = library("boto3", extra="aws").client("secretsmanager")

    def create(self, values: Mapping[str, Any]) -> None:
        self.api.create_secret(Name=NAME, SecretString=json.dumps(values))

    def put(self, values: Mapping[str, Any]) -> None:
        """A new AWSCURRENT, as the console makes it; the one before becomes AWSPREVIOUS."""
        self.api.put_secret_value(SecretId=NAME, SecretString=json.dumps(values))

    def stored(self, stage: str = "AWSCURRENT") -> dict[str, str]:
        return dict(json.loads(self.api.get_secret_value(SecretId=NAME, VersionStage=stage)["SecretString"]))


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Aws]:
    """A running server."""
    one = Aws(port := free_port())
    command = [programs.program("moto_server"), "-H", "127.0.0.1", "-p", str(port)]

    def is_ready() -> bool:
        with urllib.request.urlopen(f"{one.url}/moto-api/data.json", timeout=5) as answer:
            return int(answer.status) == 200

    with programs.running(command, folder / "moto.log", is_ready):
        yield one
