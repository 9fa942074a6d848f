"""AWS Secrets Manager: one secret, SECRETS_NAME (a name or an ARN), whose text is JSON with all names.

Region and log-in are AWS' own settings, read by boto3 (the extra `aws`) from the environment, profile or instance.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from vote.errors import ConfigError
from vote.secret_store import (
    CALL_S,
    PREVIOUS,
    Secret,
    StoredSecrets,
    StoreError,
    StoreSettings,
    changed_meanwhile,
    library,
    merged,
    texts,
)

CURRENT, BEFORE, PENDING = "AWSCURRENT", "AWSPREVIOUS", "VOTE_PENDING"
TRANSIENT = ("InternalServiceError", "ServiceUnavailable", "Throttling", "ThrottlingException", "RequestLimitExceeded")
ARN_PARTS = 7  # arn:aws:secretsmanager:REGION:account:secret:name


class _JsonVersion(NamedTuple):
    id: str
    created_at: Any
    values: Mapping[str, str]


class AwsStore:
    """A JSON secret. AWSPREVIOUS supplies `…_PREVIOUS` where AWSCURRENT does not name it, for those who rotate with AWS."""

    def __init__(self, settings: StoreSettings) -> None:
        boto3, self._errors = library("boto3", extra="aws"), library("botocore.exceptions", extra="aws")
        how = library("botocore.config", extra="aws").Config(
            connect_timeout=CALL_S, read_timeout=CALL_S, retries={"total_max_attempts": 1}
        )
        arn = settings.secrets_name.split(":")
        try:
            self._client = boto3.Session().client(
                "secretsmanager", region_name=arn[3] if len(arn) >= ARN_PARTS else None, config=how
            )
        except self._errors.BotoCoreError as error:
            raise ConfigError(f"SECRETS_FROM=aws: {error} Set AWS_DEFAULT_REGION, or use the secret's ARN.") from None
        self._name = settings.secrets_name
        self.title = f"AWS Secrets Manager's secret {self._name}"

    def read(self, names: Collection[str]) -> StoredSecrets:
        """Return the names of AWSCURRENT. A value that AWSPREVIOUS has too is as old as that, or older."""
        current = self._version(CURRENT)
        if current is None:
            return StoredSecrets({}, "")
        before = self._version(BEFORE) or current
        secrets = {}
        for name, value in current.values.items():
            since = before if before.values.get(name) == value else current
            secrets[name] = Secret(value, since.id, since.created_at)
        for name, value in before.values.items():
            if name + PREVIOUS not in current.values and value != current.values.get(name):
                secrets[name + PREVIOUS] = Secret(value, before.id, before.created_at)
        found = {name: secret for name, secret in secrets.items() if name in names and secret.value}
        return StoredSecrets(found, current.id)

    def write(self, changes: Mapping[str, str], seen: StoredSecrets) -> None:
        """Write a version, then make it AWSCURRENT unless that has moved since `seen`."""
        current = self._version(CURRENT)
        if (current.id if current else "") != seen.revision:
            raise changed_meanwhile(self.title)
        text = json.dumps(merged(current.values if current else {}, changes), indent=1)
        if current is None:
            self._call("create_secret", Name=self._name, SecretString=text)
            return
        made = self._call("put_secret_value", SecretId=self._name, SecretString=text, VersionStages=[PENDING])
        moved = {"MoveToVersionId": made["VersionId"], "RemoveFromVersionId": current.id}
        self._call("update_secret_version_stage", SecretId=self._name, VersionStage=CURRENT, **moved)

    def _version(self, stage: str) -> _JsonVersion | None:
        answer = self._call("get_secret_value", SecretId=self._name, VersionStage=stage)
        if answer is None:
            return None
        try:
            bag = json.loads(answer.get("SecretString") or "")
        except ValueError:
            raise StoreError(f"{self.title} is not JSON", is_final=True) from None
        return _JsonVersion(answer["VersionId"], answer["CreatedDate"], texts(bag, self.title))

    def _call(self, operation: str, **arguments: Any) -> Any:
        """Return AWS' answer, or None where there is nothing. Raises StoreError."""
        try:
            return getattr(self._client, operation)(**arguments)
        except self._errors.ClientError as error:
            told = error.response["Error"]
            if told["Code"] == "ResourceNotFoundException" and operation == "get_secret_value":
                return None
            reason = f"{self.title}: {told['Code']}: {told.get('Message', '')[:300]}"
            raise StoreError(reason, is_final=told["Code"] not in TRANSIENT) from None
        except self._errors.ParamValidationError:  # its text may repeat what was sent
            raise StoreError(f"{self.title}: AWS would not take that", is_final=True) from None
        except self._errors.BotoCoreError as error:
            raise StoreError(f"AWS Secrets Manager cannot be reached: {error}") from None
