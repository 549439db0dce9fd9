"""What `tidegate policy` prints for customers, carried out in the embedded AWS: our connection then lists and reads."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws.customers.sessions import Sessions
from chalicelib.config.connection import parse_connection
from chalicelib.core.connections import Grant
from chalicelib.core.policies.recipes import sheets
from chalicelib.core.policies.sheets import Facts, Place, Read, Seat
from chalicelib.core.printing import Bundle, bundles, cloudformation, shell
from chalicelib.flows.facts import Home
from chalicelib.local.account import SECRET, Account
from chalicelib.local.customer import make_bucket
from chalicelib.local.emulator import Emulator
from tests.local.conftest import EXTERNAL_ID, fresh_account
from tests.wired import session

pytestmark = pytest.mark.local

# As much of the aws CLI as scripts use, by the services' own models.
AWS = """#!{python}
import json, sys
import jmespath
from botocore import exceptions, session, xform_name

service, command, *words = sys.argv[1:]
options = {{}}
while words:
    name, equals, value = words.pop(0).partition("=")
    options[name] = value if equals else words.pop(0)
region = options.pop("--region", None)
client = session.get_session().create_client("s3" if service == "s3api" else service, region_name=region)
query, output = options.pop("--query", None), options.pop("--output", "json")
operation = client.meta.method_to_api_mapping[command.replace("-", "_")]
members = client.meta.service_model.operation_model(operation).input_shape.members
given = {{}}
for name, value in options.items():
    member = next((m for m in members if "--" + xform_name(m, "-") == name), "Endpoint")
    kind = members[member].type_name
    listed = [value] if kind == "list" and not value.startswith("[") else None
    given[member] = listed or (json.loads(value) if kind in ("structure", "map", "list") else value)
try:
    answer = getattr(client, command.replace("-", "_"))(**given)
except exceptions.ClientError as error:
    sys.exit(str(error))
answer.pop("ResponseMetadata", None)
found = jmespath.search(query, answer) if query else answer
if found or output == "text":
    print(found if output == "text" else json.dumps(found, default=str))
"""


@dataclass
class World:
    """Our account with the arrivals queue, and a customer's with a bucket and one object."""

    ours: Account
    theirs: Account

    @property
    def bucket(self) -> str:
        return f"acme-{self.theirs.number}"

    def grant(self, **document: Any) -> Grant:
        role = {} if "auth_method" in document else {"role_arn": f"arn:aws:iam::{self.theirs.number}:role/x/reader"}
        connection = parse_connection({"name": "acme", **role, **document}, where="test")
        return Grant(connection, EXTERNAL_ID, datetime(2026, 11, 22, tzinfo=UTC))

    def printed(self, grant: Grant) -> dict[Seat, Bundle]:
        home = Home(self.ours.number, "us-east-1", "tidegate")
        reads = (Read(self.bucket, "in/"),)
        found = [s for s in sheets(Facts(grant, home.account, home.region, home.queue, (), reads)) if s.needed]
        return {bundle.seat: bundle for bundle in bundles("acme", found)}

    def customer(self, grant: Grant) -> Any:
        """S3 over the connection."""
        return Sessions(session(self.ours.number, SECRET)).customer(grant, self.bucket, "in/")

    def deploy(self, bundle: Bundle, account: Account) -> None:
        """A stack of what is printed, as it stands."""
        made = account.client("cloudformation")
        name = f"tidegate-acme-{bundle.seat}"
        made.create_stack(
            StackName=name,
            TemplateBody=cloudformation(bundle),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            OnFailure="DELETE",
        )
        (stack,) = made.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack


@pytest.fixture
def world(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
    world = World(fresh_account(emulator), fresh_account(emulator))
    world.ours.client("sqs").create_queue(QueueName="tidegate-arrivals")
    make_bucket(world.theirs, world.bucket)
    for key in ("in/first.csv", "other/secret.csv"):
        world.theirs.client("s3").put_object(Bucket=world.bucket, Key=key, Body=b"a,b\n1,2\n")
    return world


def run(bundle: Bundle, account: Account, place: Path) -> None:
    """The printed commands, with an `aws` that speaks to the embedded AWS."""
    (place / "aws").write_text(AWS.format(python=sys.executable))
    (place / "aws").chmod(0o755)
    path = f"{place}:{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = account.env() | {"PATH": path, "TMPDIR": str(place), "HOME": os.devnull}
    done = subprocess.run(
        ["bash"], input=shell(bundle), text=True, capture_output=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def lets_us_in(world: World, grant: Grant) -> None:
    """It lists and reads under the prefix, and nowhere else."""
    s3 = world.customer(grant)
    listed = s3.list_objects_v2(Bucket=world.bucket, Prefix="in/")
    assert [found["Key"] for found in listed["Contents"]] == ["in/first.csv"]
    assert s3.get_object(Bucket=world.bucket, Key="in/first.csv")["Body"].read() == b"a,b\n1,2\n"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=world.bucket, Key="other/secret.csv")


def test_a_stack_of_the_template_lets_us_in(world: World) -> None:
    grant = world.grant()
    world.deploy(world.printed(grant)[Seat.CUSTOMER], world.theirs)
    lets_us_in(world, grant)


def test_the_commands_let_us_in_and_make_the_bucket_speak(world: World, tmp_path: Path) -> None:
    grant = world.grant()
    s3 = world.theirs.client("s3")
    queue = f"arn:aws:sqs:us-east-1:{world.theirs.number}:theirs"
    anybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    world.theirs.client("sqs").create_queue(QueueName="theirs", Attributes={"Policy": policy})
    own = {"Id": "own", "QueueArn": queue, "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=world.bucket, NotificationConfiguration={"QueueConfigurations": [own]}
    )
    printed = world.printed(grant)
    run(printed[Seat.OPERATOR], world.ours, tmp_path)
    run(printed[Seat.CUSTOMER], world.theirs, tmp_path)
    (again,) = bundles("acme", printed[Seat.CUSTOMER].at(Place.BUCKET_NOTIFICATION))
    run(again, world.theirs, tmp_path)  # which changes nothing
    lets_us_in(world, grant)
    found = s3.get_bucket_notification_configuration(Bucket=world.bucket)["QueueConfigurations"]
    assert [each["Id"] for each in found] == ["own", "tidegate-acme"]
    s3.put_object(Bucket=world.bucket, Key="in/second.csv", Body=b"a\n")
    sqs = world.ours.client("sqs")
    url = sqs.get_queue_url(QueueName="tidegate-arrivals")["QueueUrl"]
    told: list[str] = []
    while not any("second.csv" in body for body in told):
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
        assert messages, told
        told += [message["Body"] for message in messages]


def test_topic_and_subscription_come_from_stacks(world: World) -> None:
    grant = world.grant(notify_by="sns")
    printed = world.printed(grant)
    world.deploy(printed[Seat.CUSTOMER], world.theirs)
    (policy,) = printed[Seat.CUSTOMER].at(Place.TOPIC_POLICY)
    attributes = world.theirs.client("sns").get_topic_attributes(TopicArn=policy.target)["Attributes"]
    assert json.loads(attributes["Policy"]) == policy.document
    lets_us_in(world, grant)


def test_rule_and_role_come_from_a_stack(world: World) -> None:
    printed = world.printed(world.grant(notify_by="eventbridge"))
    world.deploy(printed[Seat.CUSTOMER], world.theirs)
    (sheet,) = printed[Seat.CUSTOMER].at(Place.RULE)
    events = world.theirs.client("events")
    assert json.loads(events.describe_rule(Name="tidegate-acme")["EventPattern"]) == sheet.document["EventPattern"]
    assert events.list_targets_by_rule(Rule="tidegate-acme")["Targets"] == sheet.document["Targets"]


def test_a_bucket_s_policy_comes_from_a_stack(world: World) -> None:
    grant = world.grant(auth_method="default", bucket_owner=world.theirs.number)
    printed = world.printed(grant)
    world.deploy(printed[Seat.CUSTOMER], world.theirs)
    (sheet,) = printed[Seat.CUSTOMER].at(Place.BUCKET_POLICY)
    assert json.loads(world.theirs.client("s3").get_bucket_policy(Bucket=world.bucket)["Policy"]) == sheet.document
    lets_us_in(world, grant)
