"""Secrets that filters name: found under our own prefix, fetched once, and never shown."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_secretsmanager.client import SecretsManagerClient

from chalicelib.aws.secrets import Secrets
from chalicelib.errors import ConfigError


@pytest.fixture
def client() -> Iterator[SecretsManagerClient]:
    with mock_aws():
        yield boto3.session.Session(region_name="us-east-1").client("secretsmanager")


def test_a_secret_is_found_under_our_prefix_as_text_or_as_bytes(client: SecretsManagerClient) -> None:
    client.create_secret(Name="tidegate/salt", SecretString="pépper")
    client.create_secret(Name="tidegate/raw", SecretBinary=b"\x00\xff")
    secrets = Secrets(client)
    assert secrets("salt") == "pépper".encode()
    assert secrets("raw") == b"\x00\xff"


def test_a_secret_is_fetched_once_and_shown_nowhere(client: SecretsManagerClient) -> None:
    client.create_secret(Name="tidegate/salt", SecretString="pepper")
    secrets = Secrets(client)
    assert secrets("salt") == b"pepper"
    client.delete_secret(SecretId="tidegate/salt", ForceDeleteWithoutRecovery=True)
    assert secrets("salt") == b"pepper"
    assert "pepper" not in repr(secrets)


def test_a_secret_that_is_not_there_says_which(client: SecretsManagerClient) -> None:
    with pytest.raises(ConfigError, match="secret tidegate/salt"):
        Secrets(client)("salt")


@pytest.mark.parametrize("name", ["connections/acme", "connections/", "connections//acme"])
def test_a_connections_secret_is_nobodys_elses(client: SecretsManagerClient, name: str) -> None:
    client.create_secret(Name="tidegate/connections/acme", SecretString="{}")
    with pytest.raises(ConfigError, match="Only the connection"):
        Secrets(client)(name)
