"""A customer's account inside the embedded AWS: a bucket, a role for us, and notifications to our queue."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.local.account import Account

TOLD = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
Policy = Mapping[str, Any]


class Route(StrEnum):
    """The ways by which a bucket's events reach our arrivals queue."""

    SQS = "sqs"
    SNS = "sns"
    EVENTBRIDGE = "eventbridge"


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer's account with one bucket and the role that lets us in."""

    account: Account
    bucket: str
    role_arn: str

    def put(self, key: str, body: bytes) -> str:
        """Store an object as the customer does; its ETag."""
        stored: str = self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["ETag"]
        return stored


def open_customer(
    account: Account, bucket: str, *, role: str, trust: Policy, permissions: Policy, versioned: bool = False
) -> Customer:
    """Make the bucket and the role; what is there already is kept, its policies replaced.

    `trust` is the role's trust policy, `permissions` what the role may do.
    """
    make_bucket(account, bucket, versioned=versioned)
    iam = account.client("iam")
    document = json.dumps(trust)
    try:
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
        arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="tidegate", PolicyDocument=json.dumps(permissions))
    return Customer(account, bucket, arn)


def make_bucket(account: Account, bucket: str, *, versioned: bool = False) -> None:
    """A bucket of `account`; one that is there already is kept."""
    s3 = account.client("s3")
    place = {} if account.region == "us-east-1" else {"LocationConstraint": account.region}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": place} if place else {}))
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def notify(customer: Customer, queue_arn: str, route: Route = Route.SQS) -> None:
    """Tell `queue_arn`, which may be another account's, of every object created in or deleted from the bucket."""
    configure = {Route.SQS: by_sqs, Route.SNS: by_sns, Route.EVENTBRIDGE: by_eventbridge}[route]
    customer.account.client("s3").put_bucket_notification_configuration(
        Bucket=customer.bucket, NotificationConfiguration=configure(customer, queue_arn)
    )


def by_sqs(customer: Customer, queue_arn: str) -> dict[str, Any]:
    """Bucket → our queue."""
    return {"QueueConfigurations": [{"QueueArn": queue_arn, "Events": TOLD}]}


def by_sns(customer: Customer, queue_arn: str) -> dict[str, Any]:
    """Bucket → the customer's topic → our queue, in SNS's envelope."""
    topic = make_topic(customer, queue_arn)
    return {"TopicConfigurations": [{"TopicArn": topic, "Events": TOLD}]}


def by_eventbridge(customer: Customer, queue_arn: str) -> dict[str, Any]:
    """Bucket → the customer's default bus → our queue, to which the rule's target sends as a role of the customer's."""
    iam, role = customer.account.client("iam"), f"tidegate-{customer.bucket[:40]}-events"
    service = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy(service))
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn}
    iam.put_role_policy(RoleName=role, PolicyName="tidegate", PolicyDocument=policy(send))
    events, rule = customer.account.client("events"), f"{customer.bucket}-created"
    detail = {"bucket": {"name": [customer.bucket]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created", "Object Deleted"], "detail": detail}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    target = {"Id": "tidegate", "Arn": queue_arn, "RoleArn": iam.get_role(RoleName=role)["Role"]["Arn"]}
    events.put_targets(Rule=rule, Targets=[target])
    return {"EventBridgeConfiguration": {}}


def make_topic(customer: Customer, queue_arn: str) -> str:
    """A topic of the customer that S3 may write to and `queue_arn` hears; its ARN."""
    sns, service = customer.account.client("sns"), {"Service": "s3.amazonaws.com"}
    topic: str = sns.create_topic(Name=f"{customer.bucket}-created")["TopicArn"]
    text = policy({"Effect": "Allow", "Principal": service, "Action": "sns:Publish", "Resource": topic})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "false"})
    return topic


def policy(statement: Policy) -> str:
    """A policy of one statement, as AWS takes it."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
