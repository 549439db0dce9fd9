"""The search for planted secrets finds one on each way out, and nothing where there is none."""

import dataclasses
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chalicelib

ROOT = Path(__file__).parents[1]
TESTS = """
import logging, subprocess, sys
import boto3, pytest
from moto import mock_aws
from chalicelib.aws.vault import AwsVault
from chalicelib.config.connection import parse_connection
from chalicelib.core.keys import Keys
from chalicelib.errors import ConfigError, TidegateError
from tests import leaks, planted
from tests.fakes.queue import FakeQueue

SECRET = planted.SESSION_TOKEN
SESSION = boto3.Session("x", SECRET, region_name="us-east-1")

@pytest.fixture
def aws():
    with mock_aws():
        yield lambda name: SESSION.client(name)

def test_leak_printed():
    print("said", SECRET)

def test_leak_printed_and_read(capsys):
    print(SECRET, file=sys.stderr)
    assert capsys.readouterr().err

def test_leak_logged():
    logging.getLogger("tidegate").warning("gave %s", SECRET)

def test_leak_error_that_is_expected():
    with pytest.raises(ConfigError):
        raise ConfigError("what", where=SECRET)

def test_leak_error_that_is_swallowed():
    try:
        raise TidegateError("what", remedy=f"use {SECRET}")
    except Exception:
        pass

def test_leak_item(aws):
    client = aws("dynamodb")
    key = {"AttributeName": "k", "AttributeType": "S"}
    client.create_table(TableName="t", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[key],
                        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}])
    client.put_item(TableName="t", Item={"k": {"S": "a"}, "error": {"M": {"text": {"S": SECRET}}}})

def test_leak_message(aws):
    queue = aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    aws("sqs").send_message(QueueUrl=queue, MessageBody=SECRET)

def test_leak_object(aws):
    aws("s3").create_bucket(Bucket="ours")
    aws("s3").put_object(Bucket="ours", Key="metadata.json", Body=SECRET.encode())

def test_leak_of_what_sts_gave(aws):
    given = aws("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/r", RoleSessionName="s")["Credentials"]
    print(given["SessionToken"])

def test_leak_of_what_is_kept(aws):
    aws("secretsmanager").create_secret(Name="tidegate/x", SecretString="pepper without a mark")
    print("pepper without a mark")

def test_leak_of_keys_that_are_kept(aws):
    vault = AwsVault(lambda: aws("secretsmanager"), lambda: aws("ssm"))
    connection = parse_connection({"name": "beta", "auth_method": "basic"}, where="x")
    vault.put(connection, Keys(planted.ACCESS_KEY_ID, "a secret key without a mark"))
    print("a secret key without a mark")

def test_leak_by_a_process():
    subprocess.run([sys.executable, "-c", f"print({SECRET!r})"], capture_output=True)

def test_leak_in_the_state_of_an_emulator(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "dynamodb.json").write_text(SECRET)
    leaks.search(tmp_path)

def test_a_keepers_state_may_have_it(tmp_path):
    for name in ("secretsmanager", "ssm"):
        (tmp_path / f"{name}.json").write_text(SECRET)
    (tmp_path / "dynamodb.json").write_text("nothing")
    leaks.search(tmp_path)

@pytest.fixture
def queue():
    return FakeQueue()

def test_leak_in_a_fake(queue):
    queue.sweep("flights", SECRET)

def test_keys_are_kept_used_and_shown_nowhere(aws, capsys):
    vault = AwsVault(lambda: aws("secretsmanager"), lambda: aws("ssm"))
    for store in ("secrets_manager", "parameter_store"):
        document = {"name": "acme", "auth_method": "session", "secret_store": store}
        connection = parse_connection(document, where="x")
        vault.put(connection, Keys(planted.ACCESS_KEY_ID, planted.SECRET_ACCESS_KEY, SECRET))
        kept = vault.get(connection)
        assert kept.session_token == SECRET
        print(kept, connection, vault)
    with pytest.raises(ConfigError):
        parse_connection({"name": "acme", "auth_method": "basic", "secret_access_key": SECRET}, where="x")

@pytest.mark.leaks
def test_that_must_print_one():
    print(SECRET)

def test_after_a_leak_nothing_is_left_over():
    print("nothing")
"""


@pytest.mark.leaks
def test_only_a_leak_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    plain = ["-p", "no:cacheprovider", "--strict-markers", "-rA", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", "-p", "tests.leaks", *plain, str(tmp_path / "test_it.py")]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    ends = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", ran.stdout, re.MULTILINE)
    names = re.findall(r"def (test_\w+)", TESTS)
    assert {name for _, name in ends} == set(names), ran.stdout + ran.stderr
    assert {name for end, name in ends if end != "PASSED"} == {name for name in names if name.startswith("test_leak_")}


SECRETS = re.compile(r"secret_access_key|secret_key|session_token|(?:proxy_)?password|token|credentials?")
REFERENCES = {"Digested.secret_key"}  # the name of a secret, not the secret


def declared() -> Iterator[tuple[str, bool]]:
    """Each field of ours that may hold a secret, and whether `repr` shows it."""
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        if module.name.endswith("__main__"):
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if not isinstance(kind, type) or kind.__module__ != module.name:
                continue
            fields: dict[str, Any] = dict(getattr(kind, "model_fields", {}))
            fields |= (
                {field.name: field for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
            )
            for name, field in fields.items():
                if SECRETS.fullmatch(name):
                    yield f"{kind.__name__}.{name}", bool(field.repr)


def test_no_field_that_holds_a_secret_is_shown_by_repr() -> None:
    found = dict(declared())
    assert found["Keys.secret_access_key"] is False
    assert {name for name, shown in found.items() if shown} == REFERENCES
