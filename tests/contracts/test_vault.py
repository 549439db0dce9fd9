"""Connections' keys are kept the same in memory, in Secrets Manager and in the Parameter Store."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from chalicelib.aws.vault import AwsVault
from chalicelib.config.connection import Connection, parse_connection
from chalicelib.core.keys import Keys
from chalicelib.errors import AccessDenied, ConfigError
from chalicelib.flows.ports import Vault
from tests.fakes.vault import FakeVault

KEYS = Keys("ASIAEXAMPLE", "s3cr3t/+=", "t" * 5000, datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC), "pröxy ")
STORES = ["secrets_manager", "parameter_store"]


def connection(store: str = STORES[0], name: str = "acme") -> Connection:
    document = {"name": name, "auth_method": "session", "secret_store": store}
    return parse_connection(document, where="test")


def aws_vault(boto: boto3.Session) -> AwsVault:
    return AwsVault(lambda: boto.client("secretsmanager"), lambda: boto.client("ssm"))


@pytest.fixture(params=["fake", "aws"])
def vault(request: pytest.FixtureRequest) -> Vault:
    if request.param == "fake":
        return FakeVault()
    request.getfixturevalue("aws")
    return aws_vault(request.getfixturevalue("boto"))


@pytest.mark.parametrize("store", STORES)
def test_what_was_kept_comes_back_as_it_was(vault: Vault, store: str) -> None:
    assert vault.get(connection(store)) is None
    vault.put(connection(store), KEYS)
    assert vault.get(connection(store)) == KEYS
    vault.put(connection(store), Keys("AKIAOTHER", "other"))
    assert vault.get(connection(store)) == Keys("AKIAOTHER", "other")
    assert vault.get(connection(store, "beta")) is None


def test_each_store_keeps_its_own(vault: Vault) -> None:
    vault.put(connection(STORES[0]), KEYS)
    assert vault.get(connection(STORES[1])) is None
    vault.forget(connection(STORES[1]))
    assert vault.get(connection(STORES[0])) == KEYS


@pytest.mark.parametrize("store", STORES)
def test_what_was_forgotten_is_gone_and_can_be_kept_anew(vault: Vault, store: str) -> None:
    vault.forget(connection(store))
    vault.put(connection(store), KEYS)
    vault.forget(connection(store))
    vault.forget(connection(store))
    assert vault.get(connection(store)) is None
    vault.put(connection(store), Keys("AKIAOTHER", "other"))
    assert vault.get(connection(store)) == Keys("AKIAOTHER", "other")


def test_aws_keeps_them_under_the_connections_own_name(aws: None, boto: boto3.Session) -> None:
    vault = aws_vault(boto)
    for store in STORES:
        vault.put(connection(store), KEYS)
    [secret] = boto.client("secretsmanager").list_secrets()["SecretList"]
    assert secret["Name"] == "tidegate/connections/acme"
    [parameter] = boto.client("ssm").describe_parameters()["Parameters"]
    assert (parameter["Name"], parameter["Type"]) == ("/tidegate/connections/acme", "SecureString")


def test_a_forgotten_secret_can_be_brought_back_for_seven_days(aws: None, boto: boto3.Session) -> None:
    vault, client = aws_vault(boto), boto.client("secretsmanager")
    vault.put(connection(), KEYS)
    vault.forget(connection())
    secret = client.describe_secret(SecretId="tidegate/connections/acme")
    assert 6 < (secret["DeletedDate"] - datetime.now(UTC)).total_seconds() / 86400 <= 7  # noqa: TID251 - moto's clock
    client.restore_secret(SecretId="tidegate/connections/acme")
    assert vault.get(connection()) == KEYS


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "text",
    [
        "SECRET",
        '["SECRET"]',
        '{"access_key_id": {"SECRET": 1}}',
        '{"SECRET": "x"}',
        '{"expires_at": "SECRET"}',
        '"\\ud800SECRET"',
        '{"session_token": "SECRET\\nx: y"}',
        '{"secret_access_key": "SECRET\\u2028x"}',
        "null",
    ],
)
def test_what_are_no_keys_is_said_without_repeating_it(aws: None, boto: boto3.Session, store: str, text: str) -> None:
    boto.client("secretsmanager").create_secret(Name="tidegate/connections/acme", SecretString=text)
    boto.client("ssm").put_parameter(Name="/tidegate/connections/acme", Value=text, Type="SecureString")
    with pytest.raises(ConfigError, match="acme") as caught:
        aws_vault(boto).get(connection(store))
    assert "SECRET" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"


@pytest.mark.parametrize("store", STORES)
def test_a_line_end_around_a_key_that_somebody_stored_by_hand_is_none_of_it(
    aws: None, boto: boto3.Session, store: str
) -> None:
    text = json.dumps({"access_key_id": "a\n", "secret_access_key": " b", "session_token": "c\r\n"})
    boto.client("secretsmanager").create_secret(Name="tidegate/connections/acme", SecretString=text)
    boto.client("ssm").put_parameter(Name="/tidegate/connections/acme", Value=text, Type="SecureString")
    assert aws_vault(boto).get(connection(store)) == Keys("a", "b", "c")


def test_bytes_are_no_keys_either(aws: None, boto: boto3.Session) -> None:
    boto.client("secretsmanager").create_secret(Name="tidegate/connections/acme", SecretBinary=b"SECRET")
    with pytest.raises(ConfigError, match="no keys"):
        aws_vault(boto).get(connection())


def test_an_end_without_a_zone_is_in_utc(aws: None, boto: boto3.Session) -> None:
    text = json.dumps({"access_key_id": "A", "expires_at": "2026-11-22T12:00:00"})
    boto.client("secretsmanager").create_secret(Name="tidegate/connections/acme", SecretString=text)
    found = aws_vault(boto).get(connection())
    assert found is not None
    assert found.expires_at == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_vault_that_we_may_not_open_is_told_from_an_empty_one(aws: None, boto: boto3.Session) -> None:
    def refuse(**_: Any) -> Any:
        return type("Http", (), {"status_code": 400, "headers": {}})(), {
            "Error": {"Code": "AccessDeniedException", "Message": "not authorized"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

    client = boto.client("secretsmanager")
    client.meta.events.register("before-call.secrets-manager.*", refuse)
    vault = AwsVault(lambda: client, lambda: boto.client("ssm"))
    for call in (lambda: vault.get(connection()), lambda: vault.put(connection(), KEYS)):
        with pytest.raises(AccessDenied, match="tidegate/connections/acme"):
            call()


def test_clients_are_not_made_before_they_are_needed() -> None:
    def never() -> Any:
        raise AssertionError

    AwsVault(never, never)


def test_a_vault_that_we_have_shows_no_key() -> None:
    assert "s3cr3t" not in repr(KEYS) + repr(connection())
