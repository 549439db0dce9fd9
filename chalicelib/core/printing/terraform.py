"""Terraform: one configuration for a bundle, for the AWS provider.

What belongs to a role, a topic or a rule becomes resources of its own. A bucket's, key's or queue's policy holds other
people's statements too, and Terraform writes such a policy as a whole: the configuration asks for the policy of today,
and lays ours over it, Sid by Sid. To a bucket's notification configuration nothing can be added: the configuration
asks for it as well, and stops where there is one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.core.policies.sheets import Place, Sheet
from chalicelib.core.printing.bundles import Bundle, Holder, resource, roles, users
from chalicelib.core.printing.comments import commented, head
from chalicelib.core.printing.hcl import Raw, block, call, inner

SHARED = {  # resource, the attribute that says whose policy it is, the command that shows the policy of today
    Place.BUCKET_POLICY: (
        "aws_s3_bucket_policy",
        "bucket",
        "aws s3api get-bucket-policy --bucket NAME --query Policy --output text",
    ),
    Place.KEY_POLICY: (
        "aws_kms_key_policy",
        "key_id",
        "aws kms get-key-policy --key-id ARN --policy-name default --query Policy --output text",
    ),
    Place.QUEUE_POLICY: (
        "aws_sqs_queue_policy",
        "queue_url",
        "aws sqs get-queue-attributes --queue-url URL --attribute-names Policy --query Attributes.Policy --output text",
    ),
}


def terraform(bundle: Bundle) -> str:
    """The configuration, which begins with comments and ends in one newline.

    Raises ConfigError for names that Terraform cannot hold as they are.
    """
    return commented(head(bundle)) + "\n" + "\n".join(_Blocks(bundle).all())


class _Blocks:
    """The blocks of one configuration; each resource has a label made of the connection's name and a number."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._stem = "tidegate_" + re.sub("[^A-Za-z0-9_]", "_", bundle.connection)
        self._labels = dict[str, int]()
        self._made = list[str]()  # addresses

    def all(self) -> Iterator[str]:
        for role in roles(self._bundle):
            yield from self._role(role)
        for user in users(self._bundle):
            yield from self._policies("user", user, self._name(user))
        parts = {
            Place.TOPIC_POLICY: self._topic,
            Place.BUCKET_POLICY: self._shared,
            Place.KEY_POLICY: self._shared,
            Place.QUEUE_POLICY: self._shared,
            Place.SUBSCRIPTION: self._subscription,
            Place.RULE: self._rule,
            Place.BUCKET_NOTIFICATION: self._notification,
        }
        for place, part in parts.items():
            for sheet in self._bundle.at(place):
                yield from part(sheet)

    def _resource(self, kind: str, body: Mapping[str, Any], *blocks: str) -> tuple[str, str]:
        """Its address, and its block."""
        number = self._labels[kind] = self._labels.get(kind, 0) + 1
        label = self._stem if number == 1 else f"{self._stem}_{number}"
        self._made.append(f"{kind}.{label}")
        return f"{kind}.{label}", block("resource", (kind, label), body, *blocks)

    def _waiting(self, *kinds: str) -> dict[str, Any]:
        """`depends_on` what there is of these kinds."""
        found = [address for address in self._made if address.partition(".")[0] in kinds]
        return {"depends_on": Raw(f"[{', '.join(found)}]")} if found else {}

    def _question(self, kind: str) -> str:
        """The name of the variable that belongs to the next resource of this kind."""
        return f"{self._stem}_{kind.removeprefix('aws_')}_{self._labels.get(kind, 0) + 1}"

    def _name(self, holder: Holder) -> Any:
        return holder.name if holder.name is not None else Raw("var.tidegate_reader")

    def _role(self, role: Holder) -> Iterator[str]:
        name = self._name(role)
        if role.trust is not None:
            body: dict[str, Any] = {
                "name": name,
                "path": role.path,
                "assume_role_policy": call("jsonencode", role.trust, 1),
            }
            if role.session_seconds is not None:
                body["max_session_duration"] = role.session_seconds
            address, made = self._resource("aws_iam_role", body)
            name = Raw(f"{address}.name")
            yield made
        yield from self._policies("role", role, name)

    def _policies(self, whose: str, holder: Holder, name: Any) -> Iterator[str]:
        if holder.name is None:
            body = {"description": f"The name of {holder.arn}.", "type": Raw("string")}
            yield block("variable", ("tidegate_reader",), body)
        for policy_name, policy in holder.policies:
            body = {"name": policy_name, whose: name, "policy": call("jsonencode", policy, 1)}
            yield self._resource(f"aws_iam_{whose}_policy", body)[1]

    def _topic(self, sheet: Sheet) -> Iterator[str]:
        address, made = self._resource("aws_sns_topic", {"name": resource(sheet.target)})
        yield made
        body = {"arn": Raw(f"{address}.arn"), "policy": call("jsonencode", sheet.document, 1)}
        yield self._resource("aws_sns_topic_policy", body)[1]

    def _subscription(self, sheet: Sheet) -> Iterator[str]:
        asked = sheet.document
        body = {
            "topic_arn": asked["TopicArn"],
            "protocol": asked["Protocol"],
            "endpoint": asked["Endpoint"],
            "raw_message_delivery": asked.get("Attributes", {}).get("RawMessageDelivery") == "true",
        }
        yield self._resource("aws_sns_topic_subscription", body | self._waiting("aws_sns_topic_policy"))[1]

    def _rule(self, sheet: Sheet) -> Iterator[str]:
        asked = sheet.document
        body = {"name": asked["Name"], "event_pattern": call("jsonencode", asked["EventPattern"], 1)}
        address, made = self._resource("aws_cloudwatch_event_rule", body)
        yield made
        waits = self._waiting("aws_iam_role", "aws_iam_role_policy", "aws_sqs_queue_policy")
        for target in asked["Targets"]:
            body = {"rule": Raw(f"{address}.name"), "target_id": target["Id"], "arn": target["Arn"]}
            body |= {"role_arn": target["RoleArn"]} if "RoleArn" in target else {}
            yield self._resource("aws_cloudwatch_event_target", body | waits)[1]

    def _shared(self, sheet: Sheet) -> Iterator[str]:
        kind, whose, command = SHARED[sheet.place]
        kept = inner("lifecycle", {"prevent_destroy": True})  # destroying it would take the others' statements too
        asked = self._question(kind)
        yield _asked(asked, f"What `{command}` prints for {sheet.target}; empty if there is none.")
        body: dict[str, Any] = {
            "source_policy_documents": Raw(f'compact([replace(trimspace(var.{asked}), "/^None$/", "")])'),
            "override_policy_documents": Raw(f"[{call('jsonencode', sheet.document, 1).text}]"),
        }
        yield block("data", ("aws_iam_policy_document", asked), body)
        policy = Raw(f"data.aws_iam_policy_document.{asked}.json")
        body = {whose: _address(sheet), "policy": policy} | self._waiting("aws_iam_role")
        yield self._resource(kind, body, kept)[1]

    def _notification(self, sheet: Sheet) -> Iterator[str]:
        kind = "aws_s3_bucket_notification"
        asked = self._question(kind)
        command = "aws s3api get-bucket-notification-configuration --bucket NAME"
        check = {
            "condition": Raw(f'contains(["", "{{}}"], trimspace(var.{asked}))'),
            "error_message": "Terraform would drop what the bucket has: add to the resource that makes it, or take "
            "the commands of the aws CLI.",
        }
        told = f"What `{command}` prints for {sheet.target}: it must be nothing."
        yield _asked(asked, told, inner("validation", check))
        body: dict[str, Any] = {"bucket": sheet.target}
        body |= {"eventbridge": True} if "EventBridgeConfiguration" in sheet.document else {}
        waits = self._waiting("aws_sns_topic_policy", "aws_sqs_queue_policy")
        yield self._resource(kind, body | waits, *_channels(sheet.document))[1]


def _asked(name: str, description: str, *blocks: str) -> str:
    return block("variable", (name,), {"description": description, "type": Raw("string")}, *blocks)


def _address(sheet: Sheet) -> str:
    if sheet.place is not Place.QUEUE_POLICY:
        return sheet.target
    _, partition, _, region, account, name = sheet.target.split(":", 5)
    return f"https://sqs.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}/{account}/{name}"


def _channels(configuration: Mapping[str, Any]) -> Iterator[str]:
    """The blocks `queue` and `topic` of a notification configuration."""
    for kind in ("Queue", "Topic"):
        for each in configuration.get(f"{kind}Configurations", ()):
            body = {"id": each["Id"], f"{kind.lower()}_arn": each[f"{kind}Arn"], "events": each["Events"]}
            rules = each.get("Filter", {}).get("Key", {}).get("FilterRules", ())
            body |= {f"filter_{rule['Name'].lower()}": rule["Value"] for rule in rules}
            yield inner(kind.lower(), body)
