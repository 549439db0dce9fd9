"""The functions run as their own roles, with the policies that the cloud gives them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.errors import ConfigError
from chalicelib.local.project import Project
from chalicelib.local.roles import Role, function_role, names_in, resolved
from chalicelib.local.stack import Stack
from tests.local.test_runtime import SMALL

pytestmark = pytest.mark.local

FUNCTIONS = ("arrive", "load", "commit", "sweep", "maintain", "tick")


@pytest.fixture(scope="module")
def load(stack: Stack) -> Role:
    made = function_role(Project(), "load", stack)
    assert made is not None
    return made


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_name_in_a_functions_policy_is_one_of_the_stacks(stack: Stack, function: str) -> None:
    file = Project().function(function).policy_file
    assert file == f"policy-{function}.json"
    written = json.loads((Project().root / ".chalice" / file).read_text())
    policy = json.dumps(resolved(written, names_in(stack), where=file))
    assert "${" not in policy
    assert "Fn::" not in policy
    assert stack.account.number in policy


def test_a_function_may_do_what_its_policy_says_and_nothing_else(stack: Stack, load: Role) -> None:
    table: Any = {"TableName": stack.resources["ConnectionsTable"], "Key": {"name": {"S": "acme"}}}
    assert "Item" not in load.client("dynamodb").get_item(**table)
    with pytest.raises(ClientError, match="dynamodb:DeleteItem"):
        load.client("dynamodb").delete_item(**table)
    with pytest.raises(ClientError, match="s3:DeleteObject"):
        load.client("s3").delete_object(Bucket=stack.bucket, Key="warehouse/x")


def test_a_function_is_who_the_cloud_says_it_is(stack: Stack, load: Role) -> None:
    identity = load.client("sts").get_caller_identity()["Arn"]
    assert identity == f"arn:aws:sts::{stack.account.number}:assumed-role/{stack.name}-load/load"
    assert load.arn == f"arn:aws:iam::{stack.account.number}:role/{stack.name}-load"


def test_making_a_role_again_gives_it_the_policy_as_it_is_now(stack: Stack, load: Role) -> None:
    iam = stack.account.client("iam")
    iam.put_role_policy(RoleName=f"{stack.name}-load", PolicyName=f"{stack.name}-load", PolicyDocument=DENY)
    with pytest.raises(ClientError, match="AccessDenied"):
        load.client("s3").put_object(Bucket=stack.bucket, Key="staging/x", Body=b"")
    again = function_role(Project(), "load", stack)
    assert again is not None
    again.client("s3").put_object(Bucket=stack.bucket, Key="staging/x", Body=b"")


def test_a_project_without_policies_has_no_roles(stack: Stack) -> None:
    assert function_role(SMALL, "load", stack) is None


def test_a_policy_that_names_what_the_stack_has_not_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"LostTable\.Arn is no resource of the stack"):
        resolved({"Resource": {"Fn::Sub": "${LostTable.Arn}/index/*"}}, {}, where="policy-load.json")


def test_a_role_shows_no_secret(load: Role) -> None:
    assert load.secret_key not in repr(load)
    assert load.token not in repr(load)
    assert load.access_key not in repr(load)


DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]})
