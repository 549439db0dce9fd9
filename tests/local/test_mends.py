"""What the embedded AWS does as AWS does, since it was mended. The recipes show the rest of it."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.local.account import Account
from chalicelib.local.customer import make_bucket
from chalicelib.local.emulator import Emulator
from tests.local.conftest import fresh_account

pytestmark = pytest.mark.local

ANY = "*"


def allow(action: str | list[str], resource: str | None = ANY, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, **({"Resource": resource} if resource else {}), **more}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def role(account: Account, name: str, trusted: dict[str, Any], *statements: dict[str, Any]) -> str:
    """A role that `trusted` may assume, and that may do what the statements say; its ARN."""
    iam = account.client("iam")
    trust = policy({**allow("sts:AssumeRole", None), "Principal": trusted})
    arn: str = iam.create_role(RoleName=name, Path="/made/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
    return arn


def session(account: Account, arn: str, by: Any = None, **more: Any) -> Any:
    """A boto3 session of a role that `by`, else the account's root, assumes."""
    sts = (by or account).client("sts", **({"endpoint_url": account.endpoint} if by else {}))
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="test", **more)["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name="us-east-1")


@pytest.fixture
def ours(emulator: Emulator) -> Account:
    return fresh_account(emulator)


@pytest.fixture
def theirs(emulator: Emulator) -> Account:
    """Another account, with a bucket of its own and an object in it."""
    account = fresh_account(emulator)
    make_bucket(account, bucket(account))
    account.client("s3").put_object(Bucket=bucket(account), Key="a", Body=b"hello")
    return account


def bucket(account: Account) -> str:
    return f"acme-{account.number}"


def test_a_bucket_lets_in_the_role_that_its_policy_names_and_no_other(ours: Account, theirs: Account) -> None:
    root, read = {"AWS": f"arn:aws:iam::{ours.number}:root"}, allow("s3:GetObject")
    named, other = role(ours, "named", root, read), role(ours, "other", root, read)
    text = policy({**allow("s3:GetObject", f"arn:aws:s3:::{bucket(theirs)}/*"), "Principal": {"AWS": named}})
    theirs.client("s3").put_bucket_policy(Bucket=bucket(theirs), Policy=text)
    s3 = session(ours, named).client("s3", endpoint_url=ours.endpoint)
    assert s3.get_object(Bucket=bucket(theirs), Key="a")["Body"].read() == b"hello"
    with pytest.raises(ClientError, match="AccessDenied"):
        session(ours, other).client("s3", endpoint_url=ours.endpoint).get_object(Bucket=bucket(theirs), Key="a")


def test_a_bucket_of_another_owner_than_expected_is_refused(ours: Account, theirs: Account) -> None:
    s3 = theirs.client("s3")
    assert s3.head_object(Bucket=bucket(theirs), Key="a", ExpectedBucketOwner=theirs.number)["ContentLength"] == 5
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=bucket(theirs), Key="a", ExpectedBucketOwner=ours.number)


@pytest.mark.parametrize("owner", ["mine", "another's"])
def test_a_policy_knows_whose_bucket_it_is(ours: Account, theirs: Account, owner: str) -> None:
    account = theirs.number if owner == "mine" else ours.number
    only = {"StringEquals": {"aws:ResourceAccount": account}}
    arn = role(theirs, "r", {"AWS": f"arn:aws:iam::{theirs.number}:root"}, allow("s3:GetObject", Condition=only))
    s3 = session(theirs, arn).client("s3", endpoint_url=theirs.endpoint)
    if owner == "mine":
        assert s3.get_object(Bucket=bucket(theirs), Key="a")["ContentLength"] == 5
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket=bucket(theirs), Key="a")


@pytest.mark.parametrize(
    ("missing", "more"),
    [
        ("sts:TagSession", {"Tags": [{"Key": "team", "Value": "ingest"}]}),
        ("sts:SetSourceIdentity", {"SourceIdentity": "tidegate"}),
    ],
)
def test_whoever_tags_a_session_or_says_who_is_behind_it_must_be_allowed_to(
    ours: Account, theirs: Account, missing: str, more: dict[str, Any]
) -> None:
    root, actions = {"AWS": f"arn:aws:iam::{ours.number}:root"}, ["sts:AssumeRole", missing]
    free, bound = role(ours, "free", root, allow(actions)), role(ours, "bound", root, allow("sts:AssumeRole"))
    iam = theirs.client("iam")
    trust = policy({**allow(actions, None), "Principal": {"AWS": [free, bound]}})
    target = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    session(ours, target, session(ours, free), **more)
    session(ours, target, session(ours, bound))
    with pytest.raises(ClientError, match=f"not authorized to perform: {missing}"):
        session(ours, target, session(ours, bound), **more)


def test_within_an_account_a_trust_policy_that_names_the_caller_suffices(ours: Account) -> None:
    root = {"AWS": f"arn:aws:iam::{ours.number}:root"}
    caller = role(ours, "caller", root)
    session(ours, role(ours, "by-name", {"AWS": caller}), session(ours, caller))
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        session(ours, role(ours, "by-account", root), session(ours, caller))


def test_a_message_is_sent_alone_or_with_others_by_one_right(ours: Account) -> None:
    queue = ours.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = role(ours, "sender", {"AWS": f"arn:aws:iam::{ours.number}:root"}, allow("sqs:SendMessage"))
    sqs = session(ours, arn).client("sqs", endpoint_url=ours.endpoint)
    assert sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": "0", "MessageBody": "hello"}])["Successful"]
    with pytest.raises(ClientError, match="sqs:ReceiveMessage"):
        sqs.receive_message(QueueUrl=queue)


def test_glue_is_asked_about_the_table_and_its_database(ours: Account) -> None:
    glue = ours.client("glue")
    for name in ("open", "shut"):
        glue.create_database(DatabaseInput={"Name": name})
        glue.create_table(DatabaseName=name, TableInput={"Name": "t"})
    tables = f"arn:aws:glue:us-east-1:{ours.number}:table/open/*"
    arn = role(ours, "reader", {"AWS": f"arn:aws:iam::{ours.number}:root"}, allow("glue:GetTable", tables))
    bound = session(ours, arn).client("glue", endpoint_url=ours.endpoint)
    assert bound.get_table(DatabaseName="open", Name="t")["Table"]["Name"] == "t"
    with pytest.raises(ClientError, match="AccessDenied"):
        bound.get_table(DatabaseName="shut", Name="t")
