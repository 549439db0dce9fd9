"""The stack in the embedded AWS is the template's, and can be made again over what it holds."""

import json
from typing import Any

import pytest

from chalicelib.errors import ConfigError
from chalicelib.local.emulator import Emulator
from chalicelib.local.stack import Stack, existing, local_template, provision, read_template
from tests.local.conftest import VISIBILITY, fresh_account

pytestmark = pytest.mark.local


def template_with(**resources: Any) -> dict[str, Any]:
    lake = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "${AWS::StackName}-${AWS::AccountId}"}}}
    return {"Resources": {"LakeBucket": lake, **resources}}


QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${AWS::StackName}-q"}}}


def test_every_queue_and_table_of_the_template_is_there(stack: Stack) -> None:
    resources = read_template()["Resources"].values()
    expected = {
        kind: sum(each.get("Type") == kind for each in resources)
        for kind in ("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::S3::Bucket")
    }
    client = stack.account.client
    assert len(client("sqs").list_queues()["QueueUrls"]) == expected["AWS::SQS::Queue"] > 0
    assert len(client("dynamodb").list_tables()["TableNames"]) == expected["AWS::DynamoDB::Table"] > 0
    assert len(client("s3").list_buckets()["Buckets"]) == expected["AWS::S3::Bucket"] > 0


def test_tables_have_the_keys_and_indexes_of_the_template(stack: Stack) -> None:
    dynamo = stack.account.client("dynamodb")
    for name, resource in read_template()["Resources"].items():
        if resource.get("Type") == "AWS::DynamoDB::Table":
            table = dynamo.describe_table(TableName=stack.resources[name])["Table"]
            wanted = resource["Properties"]
            assert table["KeySchema"] == wanted["KeySchema"]
            made = [(each["IndexName"], each["KeySchema"]) for each in table.get("GlobalSecondaryIndexes", [])]
            assert made == [(each["IndexName"], each["KeySchema"]) for each in wanted.get("GlobalSecondaryIndexes", [])]


def test_queues_hide_messages_for_as_long_as_asked_and_redrive_as_the_template_says(stack: Stack) -> None:
    for short in ("arrivals", "tasks", "commits.fifo"):
        names = ["VisibilityTimeout", "RedrivePolicy"]
        known = stack.account.client("sqs").get_queue_attributes(QueueUrl=stack.queue_url(short), AttributeNames=names)[
            "Attributes"
        ]
        wanted = read_template()["Resources"][f"{short.split('.')[0].title()}Queue"]["Properties"]["RedrivePolicy"]
        assert known["VisibilityTimeout"] == str(VISIBILITY)
        assert json.loads(known["RedrivePolicy"])["maxReceiveCount"] == wanted["maxReceiveCount"]


def test_making_it_again_changes_nothing_and_keeps_what_it_holds(stack: Stack) -> None:
    s3 = stack.account.client("s3")
    s3.put_object(Bucket=stack.bucket, Key="k", Body=b"bytes")
    assert provision(stack.account, stack.name, visibility=VISIBILITY) == stack
    assert s3.get_object(Bucket=stack.bucket, Key="k")["Body"].read() == b"bytes"


def test_an_existing_stack_is_found_by_its_name(stack: Stack) -> None:
    assert existing(stack.account, stack.name) == stack
    with pytest.raises(ConfigError, match="local up"):
        existing(stack.account, "nobody")


def test_a_changed_template_changes_the_stack(emulator: Emulator) -> None:
    account = fresh_account(emulator)
    provision(account, "one", template_with())
    grown = provision(account, "one", template_with(Queue=QUEUE))
    assert account.client("sqs").get_queue_url(QueueName="one-q")["QueueUrl"].endswith("/one-q")
    assert set(grown.resources) == {"LakeBucket", "Queue"}


def test_a_template_that_cannot_be_made_is_an_error_that_names_the_resource(emulator: Emulator) -> None:
    account = fresh_account(emulator)
    account.client("glue").create_database(DatabaseInput={"Name": "taken"})
    database = {"CatalogId": {"Ref": "AWS::AccountId"}, "DatabaseInput": {"Name": "taken"}}
    with pytest.raises(ConfigError, match=r"Lakehouse.*exists"):
        provision(account, "two", template_with(Lakehouse={"Type": "AWS::Glue::Database", "Properties": database}))


def test_what_is_about_functions_stays_out_of_the_local_template() -> None:
    patch: dict[str, Any] = {"Properties": {"Events": {}}}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}
    assert set(local_template(template_with(Load=patch, Alarm=alarm, Queue=QUEUE), 5)["Resources"]) == {
        "LakeBucket",
        "Queue",
    }


def test_visibility_is_cut_down_and_never_raised() -> None:
    def shown(seconds: int) -> int:
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": seconds}}
        shown: int = local_template(template_with(Queue=queue), 30)["Resources"]["Queue"]["Properties"][
            "VisibilityTimeout"
        ]
        return shown

    assert (shown(3600), shown(10)) == (30, 10)
