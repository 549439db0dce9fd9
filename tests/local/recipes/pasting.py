"""Pasting: what admins do with printed sheets, by the API that each place has."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.core.policies.sheets import SHARED, Place, Sheet
from chalicelib.local.account import Account

ADMINISTRATION = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GenerateDataKey"]


@dataclass
class Admins:
    """Both admins, each in an account of its own; they paste exactly what is printed."""

    ours: Account
    theirs: Account
    user: str = ""  # of the customer, whose keys a connection uses
    queue_policies: dict[str, dict[str, Any]] = field(default_factory=dict)  # by name of whoever they are for

    def paste(self, sheet: Sheet, *, without: str = "") -> None:
        """Put the sheet's document where it belongs; a statement with the Sid `without` is left out."""
        account = self.ours if sheet.account == self.ours.number else self.theirs
        document = lacking(sheet.document, without)
        {
            Place.ROLE_TRUST: self._trust,
            Place.ROLE_POLICY: self._role,
            Place.USER_POLICY: self._user,
            Place.BUCKET_POLICY: self._bucket,
            Place.KEY_POLICY: self._key,
            Place.QUEUE_POLICY: self._queue,
            Place.TOPIC_POLICY: self._topic,
            Place.BUCKET_NOTIFICATION: self._notification,
            Place.SUBSCRIPTION: self._subscription,
            Place.RULE: self._rule,
        }[sheet.place](account, replace(sheet, document=document))

    def _trust(self, account: Account, sheet: Sheet) -> None:
        iam, (path, name), text = account.client("iam"), named(sheet.target), json.dumps(sheet.document)
        if not sheet.document["Statement"]:  # AWS takes no empty policy: what is left trusts nobody
            nobody = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
            text = json.dumps({**sheet.document, "Statement": [nobody]})
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(Path=path, RoleName=name, AssumeRolePolicyDocument=text)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=text)

    def _role(self, account: Account, sheet: Sheet) -> None:
        iam, (_, name) = account.client("iam"), named(sheet.target)
        if sheet.document["Statement"]:
            iam.put_role_policy(RoleName=name, PolicyName=sheet.name, PolicyDocument=json.dumps(sheet.document))
        else:
            iam.delete_role_policy(RoleName=name, PolicyName=sheet.name)

    def _user(self, account: Account, sheet: Sheet) -> None:
        iam = self.theirs.client("iam")
        iam.put_user_policy(UserName=self.user, PolicyName=sheet.name, PolicyDocument=json.dumps(sheet.document))

    def _bucket(self, account: Account, sheet: Sheet) -> None:
        s3 = account.client("s3")
        if sheet.document["Statement"]:
            s3.put_bucket_policy(Bucket=sheet.target, Policy=json.dumps(sheet.document))
        else:
            s3.delete_bucket_policy(Bucket=sheet.target)

    def _key(self, account: Account, sheet: Sheet) -> None:
        """Beside what lets the key's admin administer it, and nobody decrypt."""
        own = {"Effect": "Allow", "Principal": {"AWS": root(account)}, "Action": ADMINISTRATION, "Resource": "*"}
        document = {**sheet.document, "Statement": [own, *sheet.document["Statement"]]}
        account.client("kms").put_key_policy(KeyId=sheet.target, PolicyName="default", Policy=json.dumps(document))

    def _queue(self, account: Account, sheet: Sheet) -> None:
        """The queue is everybody's: this connection's statement stands beside the others'."""
        assert sheet.place in SHARED
        self.queue_policies[self.theirs.number] = sheet.document
        kept = [each for document in self.queue_policies.values() for each in document["Statement"]]
        policy = json.dumps({"Version": "2012-10-17", "Statement": kept}) if kept else ""
        sqs = account.client("sqs")
        url = sqs.get_queue_url(QueueName=sheet.target.rsplit(":", 1)[1])["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def _topic(self, account: Account, sheet: Sheet) -> None:
        sns, text = account.client("sns"), json.dumps(sheet.document)
        topic = sns.create_topic(Name=sheet.name)["TopicArn"]
        assert topic == sheet.target
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=text)

    def _notification(self, account: Account, sheet: Sheet) -> None:
        account.client("s3").put_bucket_notification_configuration(
            Bucket=sheet.target, NotificationConfiguration=sheet.document
        )

    def _subscription(self, account: Account, sheet: Sheet) -> None:
        account.client("sns").subscribe(**sheet.document)

    def _rule(self, account: Account, sheet: Sheet) -> None:
        events, rule = account.client("events"), sheet.document
        events.put_rule(Name=rule["Name"], EventPattern=json.dumps(rule["EventPattern"]))
        events.put_targets(Rule=rule["Name"], Targets=rule["Targets"])

    def remove(self, sheet: Sheet) -> None:
        """Take away a document that is no policy."""
        account = self.ours if sheet.account == self.ours.number else self.theirs
        if sheet.place is Place.BUCKET_NOTIFICATION:
            self._notification(account, replace(sheet, document={}))
        elif sheet.place is Place.RULE:
            ids = [each["Id"] for each in sheet.document["Targets"]]
            account.client("events").remove_targets(Rule=sheet.document["Name"], Ids=ids)
        else:
            sns, topic = self.theirs.client("sns"), sheet.document["TopicArn"]
            for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
                self.ours.client("sns").unsubscribe(SubscriptionArn=each["SubscriptionArn"])


def lacking(document: Mapping[str, Any], sid: str) -> dict[str, Any]:
    """The policy without one of its statements."""
    if "Statement" not in document:
        return dict(document)
    return {**document, "Statement": [each for each in document["Statement"] if not sid or each["Sid"] != sid]}


def named(arn: str) -> tuple[str, str]:
    """Path and name of a role or user."""
    path, _, name = arn.split(":")[5].partition("/")[2].rpartition("/")
    return (f"/{path}/" if path else "/"), name


def root(account: Account) -> str:
    """The account, as a principal."""
    return f"arn:aws:iam::{account.number}:root"
