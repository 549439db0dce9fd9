"""Tidegate's queues, tables, bucket and database in the embedded AWS, from the template that the cloud gets."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.errors import ConfigError
from chalicelib.local.account import Account

TEMPLATE = Path(__file__).parents[2] / ".chalice" / "resources.json"
VISIBILITY = 30
CREATE_PATIENCE = 60.0

# On a laptop any twelve digits are a customer, who may send at once.
SENDERS = [
    {"ParameterKey": "SenderAccounts", "ParameterValue": "*"},
    {"ParameterKey": "SenderTopics", "ParameterValue": "*"},
    {"ParameterKey": "SenderRoles", "ParameterValue": "arn:aws:iam::*:role/tidegate-*-events"},
]

# What the embedded AWS holds. The rest of the template is about functions, which our own runtime stands in for.
KEPT = ("AWS::DynamoDB::", "AWS::Events::EventBus", "AWS::Glue::", "AWS::S3::", "AWS::SNS::", "AWS::SQS::")


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that exists: its name, and the physical id of each resource by its name in the template."""

    name: str
    account: Account
    resources: Mapping[str, str]

    @property
    def bucket(self) -> str:
        """Tidegate's own bucket."""
        return self.resources["LakeBucket"]

    def queue(self, short: str) -> str:
        """The full name of a queue: `arrivals`, `tasks`, `commits.fifo`."""
        return f"{self.name}-{short}"

    def queue_arn(self, short: str) -> str:
        """The ARN of a queue."""
        return f"arn:aws:sqs:{self.account.region}:{self.account.number}:{self.queue(short)}"

    def queue_url(self, short: str) -> str:
        """The address of a queue."""
        url: str = self.account.client("sqs").get_queue_url(QueueName=self.queue(short))["QueueUrl"]
        return url

    def env(self) -> dict[str, str]:
        """Environment variables for the application, its commands and any AWS client."""
        return {**self.account.env(), "TIDEGATE_STACK": self.name, "TIDEGATE_BUCKET": self.bucket}


def read_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """The merge template as it lies in the project."""
    template: dict[str, Any] = json.loads(path.read_text())
    return template


def local_template(template: Mapping[str, Any], visibility: int) -> dict[str, Any]:
    """The part of `template` that the embedded AWS holds, no queue hiding a message longer than `visibility` seconds.

    In the cloud a queue hides a message for six times the function's timeout. On a laptop that would make the
    recovery from a killed runtime last an hour; our runtime keeps messages hidden while a function works on them.
    """
    kept = {
        name: hurried(resource, visibility)
        for name, resource in template["Resources"].items()
        if resource.get("Type", "").startswith(KEPT)
    }
    sections = {name: template[name] for name in ("Parameters", "Mappings", "Conditions") if name in template}
    return {"AWSTemplateFormatVersion": "2010-09-09", **sections, "Resources": kept}


def hurried(resource: Mapping[str, Any], visibility: int) -> dict[str, Any]:
    """`resource` with its visibility timeout, if it has one, cut down to `visibility` seconds."""
    properties = dict(resource.get("Properties", {}))
    if "VisibilityTimeout" in properties:
        properties["VisibilityTimeout"] = min(properties["VisibilityTimeout"], visibility)
    return {**resource, "Properties": properties}


def provision(
    account: Account, name: str, template: Mapping[str, Any] | None = None, *, visibility: int = VISIBILITY
) -> Stack:
    """Make stack `name` in `account` what `template` says, whether it exists or not; what it holds stays.

    Raises:
        ConfigError: the template was refused, or a resource could not be made.
    """
    cloud = account.client("cloudformation")
    body = json.dumps(local_template(template or read_template(), visibility))
    try:
        create_or_update(cloud, name, body)
    except ClientError as refusal:
        raise refused(account, name, refusal.response["Error"]["Message"]) from refusal
    status = settled(cloud, name)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise refused(account, name, f"{status}. {first_failure(cloud, name)}")
    return described(account, name)


def create_or_update(cloud: Any, name: str, body: str) -> None:
    """Ask for the stack; an update without a change is no error."""
    try:
        cloud.create_stack(StackName=name, TemplateBody=body, Parameters=SENDERS)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise
        update(cloud, name, body)


def update(cloud: Any, name: str, body: str) -> None:
    """Ask for the stack's update, if there is anything to update."""
    try:
        cloud.update_stack(StackName=name, TemplateBody=body, Parameters=SENDERS)
    except ClientError as error:
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise


def settled(cloud: Any, name: str) -> str:
    """The stack's status, once nothing is in progress any more."""
    deadline = time.monotonic() + CREATE_PATIENCE
    while True:
        status: str = cloud.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            return status
        time.sleep(0.05)


def first_failure(cloud: Any, name: str) -> str:
    """Which resource failed first, and why."""
    events = cloud.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
    return f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', '')}" if failed else ""


def refused(account: Account, name: str, what: str) -> ConfigError:
    """The stack cannot be made."""
    return ConfigError(
        f"the stack could not be made: {what}",
        where=f"stack {name}, {account.endpoint}",
        remedy="Mend .chalice/resources.json. If the emulator was killed in its first run, start on an empty --data.",
    )


def existing(account: Account, name: str) -> Stack:
    """Stack `name`, which somebody has made.

    Raises:
        ConfigError: there is none.
    """
    try:
        return described(account, name)
    except ClientError as refusal:
        raise ConfigError(
            f"there is no stack {name}",
            where=account.endpoint,
            remedy="Start it with `tidegate local up`, or set AWS_ENDPOINT_URL to where it runs.",
        ) from refusal


def described(account: Account, name: str) -> Stack:
    """Stack `name` as CloudFormation describes it."""
    known = account.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return Stack(name, account, {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in known})
