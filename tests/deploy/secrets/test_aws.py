"""AWS Secrets Manager with the real boto3, on moto: stages, versions, and which key is accepted as the previous one."""

import pytest

from tests.deploy.secrets.aws import NAME, Aws
from tests.stack import free_port
from tests.unit.test_config import GOOD
from vote import config
from vote.errors import ConfigError
from vote.secret_store import StoreError, StoreSettings, reading
from vote.secret_store.aws import AwsStore

FIRST = {"FLASK_SECRET_KEY": GOOD["FLASK_SECRET_KEY"], "JWT_SECRET": GOOD["JWT_SECRET"]}
SECOND = {"FLASK_SECRET_KEY": GOOD["FLASK_SECRET_KEY_PREVIOUS"], "JWT_SECRET": GOOD["JWT_SECRET_PREVIOUS"]}


def store() -> AwsStore:
    return AwsStore(StoreSettings(secrets_from="aws", secrets_name=NAME))


def refused(aws: Aws) -> str:
    with pytest.raises(ConfigError) as refusal:
        config.load(aws.client)
    text = str(refusal.value)
    assert not [value for value in (*GOOD.values(), aws.login["AWS_SECRET_ACCESS_KEY"]) if value in text]
    return text


def test_settings_come_from_the_json_of_one_secret(aws: Aws) -> None:
    aws.create({**FIRST, "SMTP_URL": ""})

    given = config.load({**aws.client, "VOTE_ENV": "production"})

    assert {name: getattr(given, name.lower()) for name in FIRST} == FIRST
    assert given.smtp_url is None
    origin = given.secret_origins["JWT_SECRET"]
    assert origin.source == "AWS Secrets Manager"
    assert len(origin.version) >= 32
    assert origin.changed_at is not None


def test_a_secret_may_be_named_by_its_arn_which_tells_the_region(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.create(FIRST)
    arn = aws.api.describe_secret(SecretId=NAME)["ARN"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert config.load({**aws.client, "SECRETS_NAME": arn}).jwt_secret == FIRST["JWT_SECRET"]
    assert "Set AWS_DEFAULT_REGION" in refused(aws)


def test_the_version_before_supplies_the_previous_keys(aws: Aws) -> None:
    """For those who rotate with AWS: what the old keys signed stays valid."""
    aws.create(FIRST)
    aws.put(SECOND)

    given = config.load(aws.client)

    assert (given.jwt_secret, given.jwt_secret_previous) == (SECOND["JWT_SECRET"], FIRST["JWT_SECRET"])
    assert given.flask_secret_keys == [SECOND["FLASK_SECRET_KEY"], FIRST["FLASK_SECRET_KEY"]]


@pytest.mark.parametrize("explicit", ["", "e4d1c9b07fa2865310bd4e9a7c6f2d82"])
def test_a_previous_key_that_the_current_version_names_comes_first_even_when_empty(aws: Aws, explicit: str) -> None:
    """A key that was stolen must not come back from AWSPREVIOUS."""
    aws.create(FIRST)
    aws.put({**SECOND, "JWT_SECRET_PREVIOUS": explicit})

    assert config.load(aws.client).jwt_secret_previous == (explicit or None)


def test_a_change_of_something_else_makes_no_key_its_own_previous_one(aws: Aws) -> None:
    """Keys must differ: taken as it is, AWSPREVIOUS would stop the start."""
    aws.create(FIRST)
    aws.put({**FIRST, "REDIS_URL": "unix:///run/cache/redis.sock"})

    given = config.load(aws.client)

    assert given.jwt_secret_previous is None
    origins = given.secret_origins
    assert origins["JWT_SECRET"].version != origins["REDIS_URL"].version, "the key is older than the other change"


# --- refused ---------------------------------------------------------------------------------------------------------------


def test_a_secret_that_is_not_there_has_no_default(aws: Aws) -> None:
    assert "FLASK_SECRET_KEY: Field required" in refused(aws)


@pytest.mark.parametrize("text", ["n5Jx0bQm8ZrT2wLk7VcY4hDs9GfP1aEu", '{"JWT_SECRET": 5}', '["JWT_SECRET"]'])
def test_what_is_not_names_and_texts_is_refused_without_repeating_it(aws: Aws, text: str) -> None:
    aws.api.create_secret(Name=NAME, SecretString=text)

    assert f"AWS Secrets Manager's secret {NAME}" in refused(aws)


def test_a_secret_that_waits_for_its_deletion_is_named(aws: Aws) -> None:
    aws.create(FIRST)
    aws.api.delete_secret(SecretId=NAME)

    assert "InvalidRequestException" in refused(aws)


def test_nobody_there_ends_the_start(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{free_port()}")

    assert "AWS Secrets Manager cannot be reached" in refused(aws)


def test_no_login_ends_the_start(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert "Unable to locate credentials" in refused(aws)


def test_wrong_rights_are_named(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto knows no rights: the answer is AWS' own, put into boto3's hands."""
    aws.create(FIRST)
    made = store()
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "User is not authorized to perform this"}}

    def deny(**_: object) -> None:
        raise made._errors.ClientError(denied, "GetSecretValue")

    monkeypatch.setattr(made._client, "get_secret_value", deny)
    with pytest.raises(StoreError, match="AccessDeniedException: User is not authorized") as refusal:
        made.read(FIRST)
    assert refusal.value.is_final


def test_a_running_process_goes_on_while_aws_is_away(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.create(FIRST)
    first = config.load(aws.client)

    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(reading, "_stores", {})

    assert config.load(aws.client) == first


# --- writing ---------------------------------------------------------------------------------------------------------------


def test_a_write_makes_the_secret_then_moves_its_stages_and_keeps_what_is_not_ours(aws: Aws) -> None:
    made = store()
    made.write(FIRST, made.read(FIRST))
    aws.put({**FIRST, "SOMETHING_ELSE": "theirs"})

    made.write(SECOND, made.read(FIRST))

    assert aws.stored() == {**SECOND, "SOMETHING_ELSE": "theirs"}
    assert aws.stored("AWSPREVIOUS") == {**FIRST, "SOMETHING_ELSE": "theirs"}


def test_a_write_does_not_undo_somebody_elses(aws: Aws) -> None:
    aws.create(FIRST)
    made = store()
    seen = made.read(FIRST)
    aws.put(SECOND)

    with pytest.raises(StoreError, match="changed by somebody else"):
        made.write({"JWT_SECRET": "mine"}, seen)

    assert aws.stored() == SECOND
