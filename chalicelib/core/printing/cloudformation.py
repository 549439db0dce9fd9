"""CloudFormation: one template for a bundle, as YAML.

What belongs to a role, a topic or a rule becomes resources. A bucket's policy does as well: CloudFormation refuses to
make one where there is one. To a key's or a queue's policy, and to a bucket's notification configuration, it cannot
add without owning the key, the queue or the bucket; those stay out, and the comments say so.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from chalicelib.core.policies.sheets import Place, Sheet
from chalicelib.core.printing.bundles import Bundle, Holder, resource, roles, users
from chalicelib.core.printing.comments import commented, head
from chalicelib.errors import ConfigError

OUTSIDE = (Place.KEY_POLICY, Place.QUEUE_POLICY, Place.BUCKET_NOTIFICATION)
READER = "ReaderName"

Resource = tuple[str, dict[str, Any]]  # a name, which is numbered, and what it stands for


def cloudformation(bundle: Bundle) -> str:
    """The template, which begins with comments and ends in one newline.

    Raises ConfigError where nothing of the bundle can be one, or where CloudFormation would put a secret or parameter
    in the place of a name.
    """
    resources = _numbered(_resources(bundle))
    outside = bundle.at(*OUTSIDE)
    if not resources:
        raise ConfigError(
            f"CloudFormation cannot add to {outside[0].place} of {outside[0].target}",
            where=f"connection {bundle.connection}",
            remedy="Take --format cli, whose commands keep what is there",
        )
    asked = {holder.arn for holder in (*roles(bundle), *users(bundle)) if holder.name is None}
    template: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09", "Description": _description(bundle)}
    if asked:
        told = f"The name of {min(asked)}"
        template["Parameters"] = {READER: {"Type": "String", "MinLength": 1, "Description": told}}
    text = _yaml(template | {"Resources": resources})
    if "{{resolve:" in text:
        raise ConfigError(
            "a name has {{resolve:…}} in it, which CloudFormation would put something else in the place of",
            where=f"connection {bundle.connection}",
            remedy="Take another --format",
        )
    return commented([*head(bundle), *_remarks(bundle)]) + text


def _description(bundle: Bundle) -> str:
    return f"What Tidegate's connection {bundle.connection} takes"


def _remarks(bundle: Bundle) -> Iterator[str]:
    if bundle.at(Place.ROLE_TRUST, Place.ROLE_POLICY, Place.USER_POLICY):
        yield "Deploy with --capabilities CAPABILITY_NAMED_IAM."
    for sheet in bundle.at(Place.BUCKET_POLICY):
        yield f"CloudFormation refuses {sheet.place} of {sheet.target} if there is one: then take --format cli for it."
    for sheet in bundle.at(*OUTSIDE):
        yield f"Not in here, since CloudFormation could only replace it: {sheet.place}, {sheet.target}."
        yield f"  Take `tidegate policy {bundle.connection} {sheet.kind} --for {bundle.seat} --format cli` for it."


def _resources(bundle: Bundle) -> Iterator[Resource]:
    for role in roles(bundle):
        yield from _role(role) if role.trust is not None else _policies(role, "Roles")
    for user in users(bundle):
        yield from _policies(user, "Users")
    for number, sheet in enumerate(bundle.at(Place.TOPIC_POLICY), start=1):
        yield "Topic", {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": resource(sheet.target)}}
        body = {"Topics": [{"Ref": _name("Topic", number)}], "PolicyDocument": sheet.document}
        yield "TopicPolicy", {"Type": "AWS::SNS::TopicPolicy", "Properties": body}
    for sheet in bundle.at(Place.SUBSCRIPTION):
        waits = {"DependsOn": "TopicPolicy"} if bundle.at(Place.TOPIC_POLICY) else {}
        yield "Subscription", {"Type": "AWS::SNS::Subscription", **waits, "Properties": _subscription(sheet)}
    for sheet in bundle.at(Place.RULE):
        yield "Rule", {"Type": "AWS::Events::Rule", **_after_roles(bundle), "Properties": sheet.document}
    for sheet in bundle.at(Place.BUCKET_POLICY):
        body = {"Bucket": sheet.target, "PolicyDocument": sheet.document}
        yield "BucketPolicy", {"Type": "AWS::S3::BucketPolicy", **_after_roles(bundle), "Properties": body}


def _after_roles(bundle: Bundle) -> dict[str, Any]:
    """Who is named must be there."""
    made = [role for role in roles(bundle) if role.trust is not None]
    return {"DependsOn": [_name("Role", number) for number in range(1, len(made) + 1)]} if made else {}


def _role(role: Holder) -> Iterator[Resource]:
    body: dict[str, Any] = {} if role.name is None else {"RoleName": role.name}
    body |= {"Path": role.path, "AssumeRolePolicyDocument": role.trust}
    if role.session_seconds is not None:
        body["MaxSessionDuration"] = role.session_seconds
    if role.policies:
        body["Policies"] = [{"PolicyName": name, "PolicyDocument": policy} for name, policy in role.policies]
    yield "Role", {"Type": "AWS::IAM::Role", "Properties": body}


def _policies(holder: Holder, whose: str) -> Iterator[Resource]:
    name: Any = {"Ref": READER} if holder.name is None else holder.name
    for policy_name, policy in holder.policies:
        body = {"PolicyName": policy_name, whose: [name], "PolicyDocument": policy}
        yield "Policy", {"Type": "AWS::IAM::Policy", "Properties": body}


def _subscription(sheet: Sheet) -> dict[str, Any]:
    body = {name: sheet.document[name] for name in ("TopicArn", "Protocol", "Endpoint")}
    raw = sheet.document.get("Attributes", {}).get("RawMessageDelivery") == "true"
    return body | ({"RawMessageDelivery": True} if raw else {})


def _numbered(found: Iterator[Resource]) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for name, body in found:
        counts[name] = counts.get(name, 0) + 1
        resources[_name(name, counts[name])] = body
    return resources


def _name(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{number}"


class _Plain(yaml.SafeDumper):
    """YAML that every reader takes for the same: texts are quoted unless they are words, and nothing is shared."""

    def ignore_aliases(self, data: Any) -> bool:
        """No anchors."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if re.fullmatch("[A-Za-z][A-Za-z0-9_:/.*-]*[A-Za-z0-9/*]", text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _text)


def _yaml(document: Any) -> str:
    """In ASCII."""
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=10_000)
