"""The functions' roles in the embedded AWS, with the policies that the cloud gives them: `.chalice/policy-*.json`."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from chalicelib.errors import ConfigError
from chalicelib.local.account import Account, client
from chalicelib.local.project import Project
from chalicelib.local.stack import Stack, read_template

SESSION = 30 * 86400  # seconds; the embedded AWS sets no limit, and no `local up` lasts longer
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{}:{}:table/{}",
    "AWS::S3::Bucket": "arn:aws:s3:::{2}",
    "AWS::SQS::Queue": "arn:aws:sqs:{}:{}:{}",
}  # by type: region, account, and the last part of what CloudFormation calls the resource


@dataclass(frozen=True, slots=True)
class Role:
    """What a function runs as: a session of its own role."""

    account: Account
    arn: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str = field(repr=False)

    def env(self) -> dict[str, str]:
        """The variables in which Lambda hands a function its credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }

    def client(self, service: str) -> Any:
        """A boto3 client of `service` that may do what the function may."""
        return make_client(self, service)


@cache
def make_client(role: Role, service: str) -> Any:
    """One client for each session and service, which threads share."""
    return client(role.account, service, role.access_key, role.secret_key, role.token)


def function_role(project: Project, handler: str, stack: Stack) -> Role | None:
    """Make the role of one function, or bring it up to date, and take a session of it.

    None: config.json names no policy file, as in a project without the cloud's policies.

    Raises ConfigError if the policy names a resource that the stack has not.
    """
    name = project.function(handler).policy_file
    if name is None:
        return None
    written = json.loads((project.root / ".chalice" / name).read_text())
    policy = resolved(written, names_in(stack), where=f".chalice/{name}")
    iam, role = stack.account.client("iam"), f"{stack.name}-{handler}"
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=json.dumps(policy))
    return assumed(stack.account, f"arn:aws:iam::{stack.account.number}:role/{role}", handler)


def assumed(account: Account, arn: str, session: str) -> Role:
    """A session of a role of `account`, taken by its root as Lambda's service takes one."""
    given = account.client("sts").assume_role(RoleArn=arn, RoleSessionName=session, DurationSeconds=SESSION)
    keys = given["Credentials"]
    return Role(account, arn, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def names_in(stack: Stack) -> dict[str, str]:
    """What stands for each `${…}` of a policy: pseudo parameters, resources and their ARNs."""
    account, types = stack.account, read_template()["Resources"]
    arns = {
        f"{name}.Arn": ARNS[kind].format(account.region, account.number, physical.rsplit("/", 1)[-1])
        for name, physical in stack.resources.items()
        if (kind := types.get(name, {}).get("Type")) in ARNS
    }
    pseudo = {"Partition": "aws", "Region": account.region, "AccountId": account.number, "StackName": stack.name}
    return {**stack.resources, **arns, **{f"AWS::{name}": value for name, value in pseudo.items()}}


def resolved(document: Any, names: Mapping[str, str], *, where: str) -> Any:
    """The document with every Fn::Sub and Ref replaced, as CloudFormation does.

    Raises ConfigError that names what is unknown.
    """
    if isinstance(document, list):
        return [resolved(each, names, where=where) for each in document]
    if not isinstance(document, dict):
        return document
    if document.keys() == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}!]+)\}", lambda found: _known(found[1], names, where), document["Fn::Sub"])
    if document.keys() == {"Ref"}:
        return _known(document["Ref"], names, where)
    return {key: resolved(value, names, where=where) for key, value in document.items()}


def _known(name: str, names: Mapping[str, str], where: str) -> str:
    if name not in names:
        raise ConfigError(
            f"{name} is no resource of the stack", where=where, remedy="Name one of .chalice/resources.json."
        )
    return names[name]
