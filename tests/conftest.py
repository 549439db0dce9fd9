"""Credentials that cannot work, so that no test reaches AWS."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import settings
from moto import mock_aws

from tests import planted
from tests.wired import session

pytest_plugins = ["tests.leaks"]

ROOT = Path(__file__).parents[1]

# The suite tries the same examples every time, so that red means that the change is wrong.
# HYPOTHESIS_PROFILE=explore looks for new ones, and so does TIDEGATE_HISTORIES.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "explore" if "TIDEGATE_HISTORIES" in os.environ else "suite")
)


@pytest.fixture(autouse=True, scope="session")
def _no_real_aws() -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("AWS_", "TIDEGATE_")) and name != "AWS_CA_BUNDLE"]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": planted.SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    yield
    os.environ.clear()
    os.environ |= before


@pytest.fixture(scope="session")
def boto(_no_real_aws: None) -> boto3.Session:
    """A session for clients of tests' own."""
    return boto3.Session(botocore_session=session("testing", planted.SECRET_ACCESS_KEY))


@pytest.fixture
def aws() -> Iterator[None]:
    """moto in this process, empty."""
    with mock_aws():
        yield


@pytest.fixture
def dynamo(aws: None, boto: boto3.Session) -> Any:
    """A DynamoDB with the tables that the template declares."""
    client = boto.client("dynamodb")
    resources = json.loads((ROOT / ".chalice" / "resources.json").read_text())["Resources"]
    for resource in resources.values():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
        properties = {name: value for name, value in resource["Properties"].items() if name in wanted}
        name = resource["Properties"]["TableName"]["Fn::Sub"].replace("${AWS::StackName}", "tidegate")
        client.create_table(TableName=name, **properties)
    return client
