"""A planted secret in a running deployment: it does its work, and nothing that remains has it (P9, point 7)."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.config.pipeline import Pipeline
from chalicelib.core.ledger import State
from chalicelib.local.customer import Customer
from chalicelib.local.stack import Stack
from tests import planted
from tests.local.test_end_to_end import CSV, Deployment
from tests.local.waiting import soon

pytestmark = pytest.mark.local


def hashing(name: str, bucket: str, secret: str) -> Pipeline:
    column = {"name": "name", "algorithm": "HmacSHA256", "secret_key": f"${{secret:{secret}}}"}
    source = {"bucket": bucket, "path_prefix": f"{name}/", "parser": {"type": "csv"}}
    document = {
        "name": name,
        "connection": "acme",
        "in": source,
        "filters": [{"type": "digest", "columns": [column]}],
        "out": {"type": "iceberg", "database": "travel", "table": name},
    }
    return Pipeline.parse(document, where="test")


def items(stack: Stack) -> Iterator[Any]:
    """All that our tables hold."""
    client = stack.account.client("dynamodb")
    for table in client.list_tables()["TableNames"]:
        for page in client.get_paginator("scan").paginate(TableName=table):
            yield from page["Items"]


def test_a_filters_secret_is_used_and_is_nowhere_afterwards(stack: Stack, customer: Customer) -> None:
    deployment = Deployment(stack, customer)
    stack.account.client("secretsmanager").create_secret(Name="tidegate/pepper", SecretString=planted.PEPPER)
    for name, secret in (("hashed", "pepper"), ("missing", "none")):
        deployment.pipelines.put(hashing(name, customer.bucket, secret))
        customer.put(f"{name}/a.csv", CSV)
    with deployment.runtime():
        assert soon(lambda: deployment.committed("hashed", ["hashed/a.csv"]), seconds=60)
        failed = {"missing/a.csv": State.FAILED}
        assert soon(
            lambda: {key: e.state for key, e in deployment.entries("missing", list(failed)).items()} == failed,
            seconds=60,
        )
    expected = {hmac.new(planted.PEPPER.encode(), name, hashlib.sha256).hexdigest() for name in (b"a", b"b", b"c")}
    assert set(deployment.table("hashed").scan().to_arrow()["name"].to_pylist()) == expected
    shown = deployment.command("explain", "missing", "missing/a.csv") + deployment.command("show", "hashed")
    assert "tidegate/none" in shown
    assert "${secret:pepper}" in shown
    stored = [json.dumps(item, default=str) for item in items(stack)]
    assert any("secret:pepper" in text for text in stored)
    assert not [text for text in [*stored, shown] if planted.MARK in text]
