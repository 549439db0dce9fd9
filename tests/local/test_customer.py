"""A customer's account: its bucket's events reach us by every route, its role lets in only who knows the secret."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.local.account import Account
from chalicelib.local.customer import Customer, Route, notify, open_customer
from chalicelib.local.emulator import Emulator
from chalicelib.local.stack import Stack
from tests.local.conftest import EXTERNAL_ID, fresh_account, reading, trust_in
from tests.local.waiting import soon

pytestmark = pytest.mark.local

KEY = "a b+c/é.csv.gz"
WRITTEN = "a+b%2Bc/%C3%A9.csv.gz"


@pytest.fixture
def arrived(stack: Stack) -> Iterator[Callable[[], list[Any]]]:
    """What came into the arrivals queue since the test began, test events left out."""
    sqs, url = stack.account.client("sqs"), stack.queue_url("arrivals")
    sqs.purge_queue(QueueUrl=url)
    seen: list[Any] = []

    def receive() -> list[Any]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if "s3:TestEvent" not in message["Body"]:
                seen.append(json.loads(message["Body"]))
        return seen

    yield receive


def a_customer(emulator: Emulator, stack: Stack, bucket: str) -> Customer:
    trust = trust_in(stack.account)
    return open_customer(fresh_account(emulator), bucket, role="r", trust=trust, permissions=reading(bucket))


def test_a_bucket_tells_the_queue_of_another_account(customer: Customer, arrived: Callable[[], list[Any]]) -> None:
    customer.put(KEY, b"hello")
    assert soon(lambda: len(arrived()) > 0)
    (record,) = arrived()[0]["Records"]
    assert (record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]) == (customer.bucket, WRITTEN)
    assert record["s3"]["object"]["sequencer"]


def test_a_topic_of_the_customer_tells_us_in_an_envelope(
    emulator: Emulator, stack: Stack, arrived: Callable[[], list[Any]]
) -> None:
    customer = a_customer(emulator, stack, "acme-by-topic")
    notify(customer, stack.queue_arn("arrivals"), Route.SNS)
    customer.put(KEY, b"hello")
    assert soon(lambda: len(arrived()) > 0)
    assert arrived()[0]["Type"] == "Notification"
    assert json.loads(arrived()[0]["Message"])["Records"][0]["s3"]["object"]["key"] == WRITTEN


def test_a_rule_of_the_customer_tells_us_the_bare_event(
    emulator: Emulator, stack: Stack, arrived: Callable[[], list[Any]]
) -> None:
    customer = a_customer(emulator, stack, "acme-by-rule")
    notify(customer, stack.queue_arn("arrivals"), Route.EVENTBRIDGE)
    customer.put(KEY, b"hello")
    assert soon(lambda: len(arrived()) > 0)
    event = arrived()[0]
    assert (event["detail-type"], event["account"]) == ("Object Created", customer.account.number)
    assert (event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]) == (customer.bucket, KEY)


def assume(stack: Stack, customer: Customer, **more: Any) -> Any:
    """An S3 client with what the role lets us do."""
    sts = stack.account.client("sts")
    got = sts.assume_role(RoleArn=customer.role_arn, RoleSessionName="tidegate", **more)["Credentials"]
    session: Any = boto3.Session(
        got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"], region_name="us-east-1"
    )
    return session.client("s3", endpoint_url=stack.account.endpoint)


@pytest.mark.parametrize("wrong", [{}, {"ExternalId": "f" * 64}], ids=["missing", "wrong"])
def test_the_role_refuses_who_does_not_know_the_external_id(
    stack: Stack, customer: Customer, wrong: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(stack, customer, **wrong)


def test_the_role_refuses_another_account_that_knows_the_external_id(emulator: Emulator, customer: Customer) -> None:
    stranger = Stack("none", fresh_account(emulator), {})
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(stranger, customer, ExternalId=EXTERNAL_ID)


def test_the_role_reads_what_it_may_and_writes_nothing(stack: Stack, customer: Customer) -> None:
    customer.put("in/x", b"hello")
    s3 = assume(stack, customer, ExternalId=EXTERNAL_ID)
    assert s3.get_object(Bucket=customer.bucket, Key="in/x")["Body"].read() == b"hello"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=customer.bucket, Key="in/y", Body=b"")


def test_a_session_policy_narrows_the_role_to_a_prefix(stack: Stack, customer: Customer) -> None:
    customer.put("in/x", b"hello")
    customer.put("out/x", b"secret")
    allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{customer.bucket}/in/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    s3 = assume(stack, customer, ExternalId=EXTERNAL_ID, Policy=policy)
    assert s3.get_object(Bucket=customer.bucket, Key="in/x")["Body"].read() == b"hello"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=customer.bucket, Key="out/x")


def test_without_the_role_we_read_nothing_of_the_customer(stack: Stack, customer: Customer) -> None:
    customer.put("in/x", b"hello")
    account: Account = stack.account
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client("s3").get_object(Bucket=customer.bucket, Key="in/x")


def test_opening_a_customer_again_replaces_the_role_and_keeps_the_bucket(emulator: Emulator, stack: Stack) -> None:
    account = fresh_account(emulator)
    trust = [trust_in(stack.account, letter * 64) for letter in "ab"]
    first, second = (
        open_customer(account, "acme-again", role="r", trust=each, permissions=reading("acme-again")) for each in trust
    )
    assert first == second
    assume(stack, second, ExternalId="b" * 64)
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(stack, second, ExternalId="a" * 64)
